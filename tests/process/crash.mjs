// SPDX-License-Identifier: Apache-2.0
// Kills the gateway with SIGKILL at random moments under load and looks at what its trail holds afterwards. A kill leaves
// the kernel's page cache alone, so it cannot show a missing fsync: the trail's own crash tests do that.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Portolan, globalProfile, randomFrom, seed, sleep, usProfile } from "./portolan.mjs";
import { converse } from "./stream_client.mjs";

const callers = 24;

/** Calls until the gateway is gone; gives the results. */
async function load(portolan, random) {
  const results = [];
  let gone = false;
  portolan.running.ended.then(() => (gone = true));
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      while (!gone) {
        const call = await converse(portolan, {
          modelId: random.pick([usProfile, globalProfile]),
          text: `Caller ${caller}. #tokens=${1 + random.below(8)}`,
          stream: random.next() < 0.5,
        });
        results.push(call);
        if (!call.status) await sleep(2); // the socket is refused: it is going
      }
    }),
  );
  return results;
}

export async function killUnderLoad(t, rounds) {
  t.diagnostic(`PORTOLAN_TEST_SEED=${seed}`);
  const random = randomFrom(seed);
  const dataDir = await mkdtemp(path.join(tmpdir(), "portolan-crash-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const complete = new Set();
  let unfinished = 0;

  for (let round = 0; round < rounds; round += 1) {
    const portolan = await Portolan.up({ dataDir, timeScale: 10 });
    if (round > 0) assert.match(portolan.log, /trail/i, "the log says what opening the trail found");
    const loading = load(portolan, random);
    await sleep(150 + random.below(850));
    await portolan.kill();
    for (const call of await loading) {
      if (call.complete) complete.add(call.callId);
      else unfinished += 1;
    }
  }
  assert.ok(complete.size > rounds * callers, `only ${complete.size} calls were complete: no load`);
  assert.ok(unfinished > 0, "no call was under way when the gateway was killed: no crash");

  const portolan = await Portolan.up({ dataDir });
  try {
    const recorded = new Map();
    for (const record of await portolan.trail("--limit", 0)) recorded.set(record.requestID, 1 + (recorded.get(record.requestID) ?? 0));
    const missing = [...complete].filter((id) => !recorded.has(id));
    assert.deepEqual(missing, [], `${missing.length} of ${complete.size} complete calls have no record`);
    const twice = [...recorded].filter(([, times]) => times > 1);
    assert.deepEqual(twice, [], "calls with more than one record");
    t.diagnostic(`${complete.size} complete calls, ${unfinished} not, ${recorded.size} records`);
  } finally {
    await portolan.stop();
  }
}

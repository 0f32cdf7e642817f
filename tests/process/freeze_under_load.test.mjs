// SPDX-License-Identifier: Apache-2.0
// After `portolan policy freeze` returned no Region receives anything, whatever happens at the same time: many calls, and a
// gateway that is being replaced. What the Regions received is their own count.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { run, sleep, usProfile } from "./portolan.mjs";
import { Rolling, sandboxFor } from "./rolling.mjs";

// An attempt that began before the command returned may still be on its way to the Region.
const onItsWayMs = 100;
// As the demonstration's configuration has it: a short call whose Region is silent goes on to another one after that.
const firstByteMs = 2_000;

const orders = (gateway) => async (...words) => {
  const adminKey = (await readFile(path.join(gateway.dataDir, "admin.key"), "utf8")).trim();
  const env = { PORTOLAN_ADMIN: gateway.admin, PORTOLAN_ADMIN_KEY: adminKey };
  const { code, stdout, stderr } = await run(["policy", ...words, "--why", "a test"], { env });
  assert.equal(code, 0, `${stdout}${stderr}${gateway.log}`);
};

/** Calls in one process and the next: `callers` at a time, again and again until stop(). */
function keepCalling(gateway, callers) {
  let ending = false;
  const statuses = new Map();
  const call = async () => {
    const reply = await fetch(`${gateway.gateway}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${gateway.apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ model: usProfile, max_tokens: 4, messages: [{ role: "user", content: "#tokens=1" }] }),
    });
    await reply.text();
    statuses.set(reply.status, 1 + (statuses.get(reply.status) ?? 0));
  };
  const all = Array.from({ length: callers }, async () => {
    while (!ending) await call().catch(() => sleep(5)).then(() => sleep(2));
  });
  return { statuses, stop: () => ((ending = true), Promise.all(all)) };
}

const received = async (sandbox) => JSON.stringify([...(await sandbox.counts())].map(([region, { calls, bytesIn }]) => [region, calls, bytesIn]));

async function nothingIsReceived(sandbox, forMs, when) {
  await sleep(onItsWayMs);
  const before = await received(sandbox);
  await sleep(forMs);
  assert.equal(await received(sandbox), before, `a Region received something after the freeze had returned: ${when}`);
}

test("under load a freeze holds 100 ms after the command returned, again and again", async (t) => {
  const { sandbox, scratch } = await sandboxFor(t);
  const gateway = await Rolling.serve(t, sandbox, path.join(scratch, "gateway"));
  const order = orders(gateway);
  const calling = keepCalling(gateway, 30);
  for (let i = 0; i < 5; i += 1) {
    await sleep(300);
    await order("freeze", i % 2 === 0 ? "all" : "cross-region");
    await nothingIsReceived(sandbox, 300, `round ${i}`);
    await order("unfreeze", i % 2 === 0 ? "all" : "cross-region");
  }
  await calling.stop();
  assert.ok(calling.statuses.get(200) > 100, JSON.stringify([...calling.statuses]));
  assert.ok(calling.statuses.get(403) > 100, JSON.stringify([...calling.statuses]));
});

/** A gateway under load, with many calls that wait for a silent Region and will go on to another one. */
async function busyGateway(t) {
  const { sandbox, scratch } = await sandboxFor(t);
  const gateway = await Rolling.serve(t, sandbox, path.join(scratch, "gateway"));
  const calling = keepCalling(gateway, 20);
  t.after(() => calling.stop());
  await sleep(500);
  await sandbox.fault("us-east-1", "drop");
  await sleep(100);
  return { sandbox, gateway, order: orders(gateway), calling };
}

for (const [when, freezeAfterMs, signalAfterMs] of [
  ["the freeze is ordered at the moment of SIGUSR2", 0, 0],
  ["the freeze is ordered right before SIGUSR2", 0, 15],
  ["the freeze is ordered while the successor starts", 60, 0],
])
  test(`a freeze holds in both processes of a hand-over: ${when}`, async (t) => {
    const { sandbox, gateway, order } = await busyGateway(t);
    const freezing = sleep(freezeAfterMs).then(() => order("freeze", "all"));
    const replacing = sleep(signalAfterMs).then(() => gateway.replace());
    await freezing;
    await nothingIsReceived(sandbox, firstByteMs + 500, when);
    const before = await replacing;
    await nothingIsReceived(sandbox, 300, "the successor serves");
    await gateway.ends(before);
    assert.ok(gateway.log.includes("stopped, every call was finished"), gateway.log);
  });

test("a freeze that the successor is ordered holds for what the predecessor has still in hand", async (t) => {
  const { sandbox, gateway, order } = await busyGateway(t);
  const before = await gateway.replace();
  await order("freeze", "all");
  assert.ok(!gateway.log.includes("stopped, every call"), "the predecessor had calls in hand");
  await nothingIsReceived(sandbox, firstByteMs + 500, "ordered at the successor");
  await gateway.ends(before);
});

test("a freeze holds when the successor fails to start, and orders are taken again", async (t) => {
  const { sandbox, gateway, order } = await busyGateway(t);
  const configuration = await readFile(gateway.file, "utf8");
  await writeFile(gateway.file, "listen: nonsense\n");
  gateway.signal("SIGUSR2");
  await order("freeze", "all");
  await gateway.logged("the successor has failed, and this gateway goes on as before");
  await nothingIsReceived(sandbox, firstByteMs + 500, "the successor failed");
  await writeFile(gateway.file, configuration);
  await order("unfreeze", "all");
  const before = await received(sandbox);
  await sleep(500);
  assert.notEqual(await received(sandbox), before, "it serves again");
});

// SPDX-License-Identifier: Apache-2.0
// 200 streams at once while the busiest Region gets into trouble, four kinds in turn. No call fails before its first
// byte, moving on costs no more than it may, and nothing leaves the profile's destinations.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Portolan, firstByteLimitMs, sleep, usDestinations, usProfile } from "./portolan.mjs";
import { converse } from "./stream_client.mjs";

const callers = 200;
const movingOnMs = 100; // what moving on may cost beyond the new Region's own latency
const untilFaultMs = 2_500;
const underFaultMs = 4_000;

let portolan;
before(async () => (portolan = await Portolan.up()));
after(() => portolan?.stop());

/** `callers` streams at any time, until stop(). */
function keepCalling() {
  const results = [];
  let stopped = false;
  const abort = new AbortController();
  const call = (caller, round) =>
    converse(portolan, { modelId: usProfile, text: `Caller ${caller}, call ${round}. #tokens=60`, signal: abort.signal });
  const loops = Array.from({ length: callers }, async (_, caller) => {
    await sleep((caller / callers) * 1_000); // spread over a call's length, so that the fault meets calls at every point
    for (let round = 0; !stopped; round += 1) results.push(await call(caller, round));
  });
  return {
    results,
    /** Begins no more calls and waits for those under way; streams that fell silent are left after `patienceMs`. */
    async stop(patienceMs) {
      stopped = true;
      const limit = setTimeout(() => abort.abort(), patienceMs);
      await Promise.all(loops);
      clearTimeout(limit);
      return results;
    },
  };
}

/** The Region with most calls during `ms`, by the Regions' own counts. */
async function busiestRegion(ms) {
  const before = await portolan.counts();
  await sleep(ms);
  const seen = [...(await portolan.counts())].map(([region, count]) => [region, count.calls - before.get(region).calls]);
  seen.sort((left, right) => right[1] - left[1]);
  assert.ok(seen[0][1] > 0, "no Region had traffic");
  return seen[0][0];
}

/**
 * What the way to the Region that served cost a call beyond that Region's own time to the first byte. A call that was
 * waiting when the fault struck is counted from the fault: until then it waited for a Region that was well.
 */
function costOfMovingOn(record, waitedBeforeFaultMs) {
  const served = record.portolan.attempts.find((attempt) => attempt.served);
  return record.portolan.firstByteMs - served.firstByteMs - waitedBeforeFaultMs;
}

function assertServed(results, abortedMayHaveBegun) {
  for (const call of results) {
    if (call.complete) continue;
    const where = `${call.callId} at ${call.inferenceRegion}: ${call.error}, status ${call.status}`;
    assert.equal(call.status, 200, `failed before its first byte: ${where}`);
    assert.ok(call.tokens > 0 || call.firstByteMs !== null, `failed before its first byte: ${where}`);
    assert.ok(abortedMayHaveBegun, `a stream did not end well: ${where}`);
  }
}

const faults = [
  { kind: ["refuse"], cutsStreams: true, costLimitMs: movingOnMs },
  { kind: ["drop"], cutsStreams: true, costLimitMs: firstByteLimitMs + movingOnMs },
  { kind: ["throttle"], cutsStreams: false, costLimitMs: movingOnMs },
  { kind: ["slow", 20], cutsStreams: true, costLimitMs: firstByteLimitMs + movingOnMs },
];

describe(`${callers} streams at once`, () => {
  for (const { kind, cutsStreams, costLimitMs } of faults) {
    test(`the busiest Region goes ${kind.join(" ")}: no call fails before its first byte, and moving on is cheap`, async (t) => {
      t.after(() => portolan.clear());
      const calls = keepCalling();
      await sleep(untilFaultMs - 500);
      const region = await busiestRegion(500);
      const faultAsked = performance.now();
      await portolan.fault(region, ...kind);
      const faultSince = performance.now();
      await sleep(underFaultMs);
      const results = await calls.stop(20_000);
      const underFault = results.filter((call) => call.begun + call.durationMs > faultSince);
      assert.ok(underFault.length >= callers, `${underFault.length} calls under the fault`);
      assertServed(results, cutsStreams);

      assert.ok(results.length > callers, `${results.length} calls`);
      const records = (await portolan.trail("--limit", 0, "--profile", usProfile)).filter((record) => record.portolan.attempts.length > 1);
      const ours = new Map(results.map((call) => [call.callId, call]));
      const moved = records.filter((record) => ours.has(record.requestID) && record.additionalEventData?.inferenceRegion);
      // A silent Region is noticed by its silence since the call was sent, whenever it fell silent.
      const bySilence = kind[0] === "drop" || kind[0] === "slow";
      const waited = (record) => (bySilence ? 0 : Math.max(0, faultAsked - ours.get(record.requestID).begun));
      const cost = (record) => costOfMovingOn(record, waited(record));
      if (kind[0] !== "slow") assert.ok(moved.length > 0, `no call moved on from ${region}`);
      const costs = moved.map(cost).sort((left, right) => left - right);
      t.diagnostic(
        `${region} ${kind.join(" ")}: ${results.length} calls, ${moved.length} moved on at a cost of ` +
          `${costs[costs.length >> 1]?.toFixed(1)} ms (median), ${costs.at(-1)?.toFixed(1)} ms (most)`,
      );
      for (const record of moved)
        assert.ok(cost(record) <= costLimitMs, `${cost(record)} ms, at most ${costLimitMs}: ${JSON.stringify(record.portolan.attempts)}`);

      // A Region that is known to be in trouble is not asked by everybody again and again.
      const late = results.filter((call) => call.begun > faultSince + underFaultMs / 2 && call.complete);
      const stillThere = late.filter((call) => call.inferenceRegion === region).length;
      if (kind[0] !== "slow") assert.equal(stillThere, 0);
    });
  }

  test("no connection and no byte reached a Region outside the profile's destinations", async () => {
    let connections = 0;
    for (const [region, count] of await portolan.counts()) {
      if (usDestinations.includes(region)) connections += count.connections;
      else assert.deepEqual([count.connections, count.bytesIn], [0, 0], region);
    }
    assert.ok(connections > 0);
  });
});

// SPDX-License-Identifier: Apache-2.0
// A caller that gives up while a Region works: the Region's connection is dropped, and the record says so.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { Portolan, sleep, usDestinations, usProfile } from "./portolan.mjs";

const noticedWithinMs = 1_500; // HTTP/1.1 is looked at every 250 ms

let portolan;
before(async () => {
  portolan = await Portolan.up();
  for (const region of usDestinations) await portolan.fault(region, "first-token", "20s");
});
after(() => portolan?.stop());

async function openAtRegions() {
  const [{ regions }] = await portolan.json(["sandbox", "counts", "--json"]);
  return usDestinations.reduce((sum, region) => sum + regions[region].connections_open, 0);
}

async function until(probe, what) {
  for (const begun = performance.now(); performance.now() - begun < noticedWithinMs; await sleep(50)) if (await probe()) return;
  assert.fail(`not ${what} within ${noticedWithinMs} ms`);
}

const input = { modelId: usProfile, messages: [{ role: "user", content: [{ text: "Hello." }] }], inferenceConfig: { maxTokens: 2000 } };

for (const [transport, client] of [
  ["HTTP/2", () => portolan.runtime({ maxAttempts: 1 })],
  ["HTTP/1.1", () => portolan.runtimeOverHttp1({ maxAttempts: 1 })],
]) {
  describe(`over ${transport}`, () => {
    for (const Command of [ConverseCommand, ConverseStreamCommand]) {
      test(`an aborted ${Command.name} is abandoned`, async () => {
        const abort = new AbortController();
        const call = client().send(new Command(input), { abortSignal: abort.signal });
        const before = (await portolan.trail("--limit", 0)).length;
        await sleep(600);
        const open = await openAtRegions();
        abort.abort();
        await assert.rejects(call, { name: "AbortError" });
        await until(async () => (await portolan.trail("--limit", 0)).length > before, "recorded");
        const [record] = await portolan.trail("--limit", 1);
        assert.equal(record.errorCode, "RequestCanceledException");
        assert.equal(record.portolan.attempts.at(-1).error, "caller_gone");
        assert.ok(usDestinations.includes(record.portolan.attempts.at(-1).region));
        await until(async () => (await openAtRegions()) < open, "dropped by the gateway");
      });
    }
  });
}

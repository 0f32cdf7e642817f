// SPDX-License-Identifier: Apache-2.0
// Rolling restarts: the successor takes the sockets over, the predecessor drains.
import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { run, sleep, usProfile } from "./portolan.mjs";
import { Rolling, rollUnderLoad, sandboxFor } from "./rolling.mjs";
import { freePort } from "./serving.mjs";
import { converse } from "./stream_client.mjs";

test("4 rolling restarts under 200 calls a second: no call fails, none is unrecorded", (t) => rollUnderLoad(t, { handOvers: 4, rate: 200, seconds: 10 }));

test("a successor that does not start changes nothing", async (t) => {
  const { sandbox, scratch } = await sandboxFor(t);
  const gateway = await Rolling.serve(t, sandbox, path.join(scratch, "gateway"));
  await writeFile(gateway.file, gateway.text.replace("source_region: us-east-1", "source_region: us-eest-1"));
  gateway.signal("SIGUSR2");
  await gateway.logged("goes on as before: it ended with exit code 2");
  assert.match(gateway.log, /unknown Region "us-eest-1"/);
  const call = await converse(gateway, { modelId: usProfile, text: "#tokens=1" });
  assert.ok(call.complete, call.error);
  assert.equal((await fetch(`${gateway.admin}/readyz`)).status, 200);

  // One that gets as far as the trail, and then finds an address taken.
  await writeFile(gateway.file, gateway.text.replace(/^admin: .*$/m, `admin: {address: 127.0.0.1, port: ${new URL(sandbox.admin).port}}`));
  gateway.signal("SIGUSR2");
  await gateway.logged("goes on as before", 2);
  assert.match(gateway.log, /cannot listen on .* \(admin\)/);
  assert.equal((await fetch(`${gateway.admin}/readyz`)).status, 200);

  await writeFile(gateway.file, gateway.text);
  await gateway.ends(await gateway.replace());
  const later = await converse(gateway, { modelId: usProfile, text: "#tokens=1" });
  assert.ok(later.complete, later.error);
  await gateway.stop();
  await gateway.checkTrail();
  const records = await gateway.records();
  assert.deepEqual([...records].sort(), [[call.callId, 1], [later.callId, 1]].sort());
});

test("the configuration that the successor reads is in force: ports, reactors", async (t) => {
  const { sandbox, scratch } = await sandboxFor(t);
  const gateway = await Rolling.serve(t, sandbox, path.join(scratch, "gateway"), (text) => `${text}\nreactors: 2\n`);
  for (const reactors of [4, 1]) {
    await writeFile(gateway.file, `${gateway.text}\nreactors: ${reactors}\n`);
    await gateway.ends(await gateway.replace());
    const calls = await Promise.all(Array.from({ length: 40 }, () => converse(gateway, { modelId: usProfile, text: "#tokens=1" })));
    assert.deepEqual(calls.filter((call) => !call.complete), [], `${reactors} reactors`);
  }
  // Another port: the old one is given up with the predecessor.
  const port = await freePort();
  const other = { ...gateway, gateway: `http://127.0.0.1:${port}` };
  await writeFile(gateway.file, gateway.text.replace(/^listen: .*$/m, `listen: {address: 127.0.0.1, port: ${port}}`));
  await gateway.ends(await gateway.replace());
  assert.ok((await converse(other, { modelId: usProfile, text: "#tokens=1" })).complete);
  assert.equal((await converse(gateway, { modelId: usProfile, text: "#tokens=1" })).error, "ECONNREFUSED");
  await gateway.stop();
});

test("while the predecessor drains a second successor is refused, and a second gateway too", async (t) => {
  const { sandbox, scratch } = await sandboxFor(t);
  const gateway = await Rolling.serve(t, sandbox, path.join(scratch, "gateway"));
  const stream = converse(gateway, { modelId: usProfile, text: "A tale. #tokens=4000" });
  await sleep(300);
  const before = await gateway.replace();
  gateway.signal("SIGUSR2");
  await gateway.logged("refused, the predecessor of this gateway still drains");
  const again = path.join(scratch, "again.yaml");
  await writeFile(again, gateway.text.replace(/port: \d+/g, "port: 0"));
  const { code, stderr } = await run(["serve", "-c", again], { limitMs: 10_000 });
  assert.notEqual(code, 0);
  assert.match(stderr, /another process has this directory open/);
  const finished = await stream;
  assert.ok(finished.complete, finished.error);
  await gateway.ends(before);
  await gateway.ends(await gateway.replace());
  await gateway.stop();
  assert.deepEqual([...(await gateway.records())], [[finished.callId, 1]]);
});

test("a gateway that is told to stop while its successor starts takes the successor with it", async (t) => {
  const { sandbox, scratch } = await sandboxFor(t);
  const slow = path.join(scratch, "slow");
  const script = path.join(scratch, "secret");
  await writeFile(script, `#!/bin/sh\n[ -e ${slow} ] && sleep 2\necho sandbox-secret-not-for-production\n`, { mode: 0o700 });
  const gateway = await Rolling.serve(t, sandbox, path.join(scratch, "gateway"), (text) =>
    text.replace("secret_access_key: sandbox-secret-not-for-production", `secret_access_key: "cmd:${script}"`));
  await writeFile(slow, "");
  const stream = converse(gateway, { modelId: usProfile, text: "A tale. #tokens=500" });
  await sleep(300);
  gateway.signal("SIGUSR2");
  const [, successor] = await gateway.logged("SIGUSR2: starting .* as process (\\d+)");
  await gateway.stop();
  assert.match(gateway.log, /told to stop before the successor served; it is given up: signal 9 ended it/);
  await gateway.ends(Number(successor));
  const { complete, callId, error } = await stream;
  assert.ok(complete, error);
  assert.equal((await gateway.exited).code, 0);
  await gateway.checkTrail();
  assert.deepEqual([...(await gateway.records())], [[callId, 1]]);
});

test("a predecessor that is killed while it drains loses no record that it acknowledged", async (t) => {
  const { sandbox, scratch } = await sandboxFor(t);
  const gateway = await Rolling.serve(t, sandbox, path.join(scratch, "gateway"));
  const calls = [];
  const call = async () => calls.push(await converse(gateway, { modelId: usProfile, text: "#tokens=3" }));
  const streams = Array.from({ length: 3 }, () => converse(gateway, { modelId: usProfile, text: "A tale. #tokens=4000" }));
  await sleep(300);
  for (let i = 0; i < 10; i += 1) await call();
  const before = await gateway.replace();
  await call();
  process.kill(before, "SIGKILL");
  await gateway.ends(before);
  assert.ok((await Promise.all(streams)).every((stream) => !stream.complete), "the predecessor had nothing in hand");
  await call();
  assert.ok((await readdir(path.join(gateway.dataDir, "trail"))).some((name) => name.endsWith(".open")));
  await gateway.checkTrail();
  await gateway.ends(await gateway.replace());
  await call();
  await gateway.stop();
  assert.deepEqual((await readdir(path.join(gateway.dataDir, "trail"))).filter((name) => name.endsWith(".open")), []);
  await gateway.checkTrail();
  const records = await gateway.records();
  for (const { complete, callId, error } of calls) assert.ok(complete && records.get(callId) === 1, error ?? callId);
});

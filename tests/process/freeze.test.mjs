// SPDX-License-Identifier: Apache-2.0
// The emergency brake: a freeze denies at once, is recorded, counted, kept over a restart and lifted again.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { Portolan, globalProfile, lines, run, usProfile } from "./portolan.mjs";

const question = (modelId = usProfile) =>
  new ConverseCommand({ modelId, messages: [{ role: "user", content: [{ text: "#tokens=1" }] }] });

describe("freeze", () => {
  let portolan;
  let runtime;
  before(async () => {
    portolan = await Portolan.up({ timeScale: 20 });
    runtime = portolan.runtime({ maxAttempts: 1 });
  });
  after(() => portolan?.stop());

  const order = (...words) => portolan.cli(["policy", ...words, "--by", "olga", "--why", "incident 4711"]);
  const denied = (modelId) =>
    assert.rejects(runtime.send(question(modelId)), (error) => {
      assert.equal(error.name, "AccessDeniedException");
      assert.equal(error.$metadata.httpStatusCode, 403);
      assert.match(error.message, /^User: arn:aws:iam::\d+:user\/\S+ is not authorized to perform: bedrock:InvokeModel on resource: \S+ with an explicit deny in a freeze: .* by olga: incident 4711$/);
      return true;
    });
  const metrics = async () =>
    (await fetch(`${portolan.admin}/metrics`, { headers: { authorization: `Bearer ${portolan.ready.admin_key}` } })).text();
  const served = async (modelId) => assert.equal((await runtime.send(question(modelId))).stopReason, "end_turn");

  test("global stops Global profiles alone, and no Region sees them", async () => {
    const { code, stdout } = await order("freeze", "global");
    assert.equal(code, 0);
    assert.match(stdout, /frozen global since .* by olga: incident 4711/);
    const before = await portolan.counts();
    await denied(globalProfile);
    assert.deepEqual(await portolan.counts(), before);
    await served(usProfile);
    assert.equal((await order("unfreeze", "global")).code, 0);
    await served(globalProfile);
  });

  test("cross-region, profile and all stop what they say", async () => {
    assert.equal((await order("freeze", "cross-region")).code, 0);
    await denied(usProfile);
    await denied(globalProfile);
    assert.equal((await order("unfreeze", "cross-region")).code, 0);
    assert.equal((await order("freeze", "profile", usProfile)).code, 0);
    await denied(usProfile);
    await served(globalProfile);
    assert.equal((await order("unfreeze", "profile", usProfile)).code, 0);
    assert.equal((await order("freeze", "all")).code, 0);
    await denied(globalProfile);
    const explained = await portolan.explain("--principal", portolan.credentials.accessKeyId, "--profile", usProfile);
    assert.equal(explained.allowed, false);
    assert.match(JSON.stringify(explained), /all inference is frozen/);
    assert.equal((await order("unfreeze", "all")).code, 0);
    await served(usProfile);
  });

  test("the trail has the act and the denied call, told apart", async () => {
    await order("freeze", "all");
    await denied(usProfile);
    await order("unfreeze", "all");
    const [lift] = await portolan.trail("--event-name", "UnfreezeInference", "--limit", "1");
    const [freeze] = await portolan.trail("--event-name", "FreezeInference", "--limit", "1");
    assert.equal(freeze.eventType, "AwsServiceEvent");
    assert.equal(freeze.userIdentity.userName, "olga");
    assert.deepEqual(freeze.requestParameters, { scope: "all", reason: "incident 4711" });
    assert.equal(freeze.sourceIPAddress, "127.0.0.1");
    assert.equal(lift.eventType, "AwsServiceEvent");
    const [call] = await portolan.trail("--event-name", "Converse", "--limit", "1");
    assert.equal(call.eventType, "AwsApiCall");
    assert.equal(call.errorCode, "AccessDenied");
    assert.match(call.errorMessage, /incident 4711/);
    assert.equal(call.portolan.stage, "permit");
    const { code, stdout } = await portolan.cli(["trail", "lookup"]);
    assert.equal(code, 0);
    assert.match(stdout, /FreezeInference/);
  });

  test("metrics count what was denied by a freeze, and how many are in force", async () => {
    await order("freeze", "all");
    const before = await metrics();
    assert.match(before, /^portolan_freezes 1$/m);
    const count = (text) => Number(text.match(/^portolan_denials_total\{by="freeze"\} (\d+)$/m)?.[1] ?? 0);
    await denied(usProfile);
    await order("unfreeze", "all");
    const after = await metrics();
    assert.equal(count(after), count(before) + 1);
    assert.match(after, /^portolan_freezes 0$/m);
  });

  test("an order that cannot be meant is refused", async () => {
    assert.equal((await portolan.cli(["policy", "freeze", "all"])).code, 2, "a reason is needed");
    assert.equal((await order("freeze", "everything")).code, 2);
    assert.equal((await order("freeze", "profile")).code, 2);
    assert.match((await order("freeze", "profile", `${usProfile}0`)).stderr, /did you mean/);
    assert.match((await order("unfreeze", "all")).stderr, /all inference is not frozen/);
    assert.match((await portolan.cli(["policy", "status"])).stdout, /nothing is frozen/);
    const unnamed = await fetch(`${portolan.admin}/api/policy/freeze`, { method: "POST", body: "{}" });
    assert.equal(unnamed.status, 401);
  });
});

test("a freeze outlasts a crash, and is in a backup", async () => {
  const scratch = await mkdtemp(path.join(tmpdir(), "portolan-freeze-"));
  try {
    const dataDir = path.join(scratch, "data");
    let portolan = await Portolan.up({ timeScale: 20, dataDir });
    assert.equal((await portolan.cli(["policy", "freeze", "all", "--why", "incident 4711"])).code, 0);
    const backup = path.join(scratch, "backup");
    const key = { env: { BACKUP_KEY: "correct horse battery" } };
    assert.equal((await run(["backup", "--to", backup, "--key", "env:BACKUP_KEY", "--data-dir", dataDir], key)).code, 0);
    await portolan.kill();

    const restored = path.join(scratch, "restored");
    assert.equal((await run(["restore", "--from", backup, "--key", "env:BACKUP_KEY", "--data-dir", restored], key)).code, 0);
    for (const directory of [dataDir, restored]) {
      portolan = await Portolan.up({ timeScale: 20, dataDir: directory });
      assert.match(portolan.log, /frozen: all inference, by .*: incident 4711/);
      await assert.rejects(portolan.runtime({ maxAttempts: 1 }).send(question()), { name: "AccessDeniedException" });
      const { stdout } = await portolan.cli(["policy", "history", "--json"]);
      assert.equal(lines(stdout)[0].action, "freeze");
      await portolan.stop();
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});

test("a restore says what is in force, and lifts no freeze that the directory it replaces has", async () => {
  const scratch = await mkdtemp(path.join(tmpdir(), "portolan-freeze-"));
  try {
    const dataDir = path.join(scratch, "data");
    const portolan = await Portolan.up({ timeScale: 20, dataDir });
    assert.equal((await portolan.cli(["policy", "freeze", "global", "--why", "incident 1"])).code, 0);
    const backup = path.join(scratch, "backup");
    const key = { env: { BACKUP_KEY: "correct horse battery" } };
    assert.equal((await run(["backup", "--to", backup, "--key", "env:BACKUP_KEY", "--data-dir", dataDir], key)).code, 0);
    assert.equal((await portolan.cli(["policy", "freeze", "all", "--why", "incident 2"])).code, 0);
    await portolan.stop();

    const restore = (to, ...more) => run(["restore", "--from", backup, "--key", "env:BACKUP_KEY", "--data-dir", to, ...more], key);
    const refused = await restore(dataDir);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /name it with --replaces, for these freezes are in force there:\n.*Global.*incident 1\n.*all inference since .*: incident 2/);
    const alone = await restore(path.join(scratch, "alone"));
    assert.equal(alone.code, 0, alone.stderr);
    assert.match(alone.stdout, /policies in force: none\nfrozen: .* by .*: incident 1\n$/);
    const replaced = path.join(scratch, "replaced");
    const { code, stdout, stderr } = await restore(replaced, "--replaces", dataDir);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /incident 1\nfrozen: all inference since .*: incident 2\n1 of these the backup did not have/);
    const again = await Portolan.up({ timeScale: 20, dataDir: replaced });
    try {
      await assert.rejects(again.runtime({ maxAttempts: 1 }).send(question()), { name: "AccessDeniedException" });
    } finally {
      await again.stop();
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});

// SPDX-License-Identifier: Apache-2.0
// Policies on the path of calls, as stock AWS SDKs see them: strict and subset mode, versions, shares and shadows.
import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { Portolan, Running, globalProfile, model, run, usProfile } from "./portolan.mjs";
import { account, alice, allow, bot, changePoliciesUnderLoad, deny, writeSet } from "./policies.mjs";
import { serveBefore } from "./serving.mjs";

const question = (modelId) => new ConverseCommand({ modelId, messages: [{ role: "user", content: [{ text: "#tokens=1" }] }] });
const inRegion = "amazon.nova-lite-v1:0";
const onlyEast1 = (...also) => deny({ Sid: "DenyOutside", Condition: { StringNotEquals: { "aws:RequestedRegion": ["us-east-1", ...also] } } });

let scratch;
let sandbox;
let sets = 0;
before(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), "portolan-enforced-"));
  sandbox = await Portolan.up({ timeScale: 20 });
});
after(async () => {
  await sandbox?.stop();
  await rm(scratch, { recursive: true, force: true });
});
const write = (set) => writeSet(path.join(scratch, `set${(sets += 1)}`), set);

describe("strict, as AWS", () => {
  const order = async (...words) => {
    const { code, stderr } = await sandbox.cli(["policy", ...words, "--why", "a test"]);
    assert.equal(code, 0, stderr);
  };
  const inForce = async (set) => order("apply", await write(set));
  after(() => order("rollback", "0"));
  const call = (modelId) => sandbox.runtime({ maxAttempts: 1 }).send(question(modelId));
  const denied = async (modelId, pattern) => {
    let thrown;
    await assert.rejects(call(modelId), (error) => {
      thrown = error;
      assert.equal(error.name, "AccessDeniedException");
      assert.equal(error.$metadata.httpStatusCode, 403);
      assert.match(error.message, pattern);
      return true;
    });
    return sandbox.record(thrown.$metadata.requestId);
  };

  test("an SCP that leaves one Region of a geography denies the call, and names a destination", async () => {
    await inForce({ scp: [onlyEast1()] });
    const before = await sandbox.counts();
    const record = await denied(
      usProfile,
      new RegExp(`^User: ${alice} is not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:us-(east-2|west-2)::foundation-model/${model} with an explicit deny in a service control policy`),
    );
    assert.deepEqual(await sandbox.counts(), before, "no Region saw the call");
    assert.equal(record.errorCode, "AccessDenied");
    assert.equal(record.portolan.deniedBy, "scp");
    assert.equal(record.portolan.policies.hash.length, 12);
    assert.deepEqual(
      record.portolan.policyCauses.map(({ kind, policy, statement, level }) => [kind, policy, statement, level]),
      [["service control policy", "scp.json", "DenyOutside", `account ${account}`]],
    );
    const explained = await sandbox.explain("--principal", "alice", "--profile", usProfile);
    assert.match(JSON.stringify(explained), /explicit deny in service control policy scp.json, statement DenyOutside/);
  });

  test("a Region list without unspecified denies Global by the ARN without a Region; with it, Global is served", async () => {
    await inForce({ scp: [onlyEast1("us-east-2", "us-west-2")] });
    await denied(globalProfile, new RegExp(`on resource: arn:aws:bedrock:::foundation-model/${model} with an explicit deny`));
    assert.equal((await call(usProfile)).stopReason, "end_turn");
    await inForce({ scp: [onlyEast1("us-east-2", "us-west-2", "unspecified")] });
    assert.equal((await call(globalProfile)).stopReason, "end_turn");
  });

  test("an Allow of the profile alone lacks the model", async () => {
    await inForce({ identity: { [alice]: [allow({ Resource: `arn:aws:bedrock:*:${account}:inference-profile/*` })] } });
    const record = await denied(usProfile, /on resource: arn:aws:bedrock:us-\S+::foundation-model\/\S+ because no identity-based policy allows the bedrock:InvokeModel action/);
    assert.equal(record.portolan.deniedBy, "identity");
  });

  test("an Allow bound to profiles lets nobody call the model directly", async () => {
    await inForce({
      identity: {
        [alice]: [
          allow({ Resource: "arn:aws:bedrock:*:*:inference-profile/*" }),
          allow({ Resource: "arn:aws:bedrock:*::foundation-model/*", Condition: { ArnLike: { "bedrock:InferenceProfileArn": "arn:aws:bedrock:*:*:inference-profile/*" } } }),
        ],
      },
    });
    await denied(inRegion, /because no identity-based policy allows/);
    assert.equal((await call(usProfile)).stopReason, "end_turn");
  });

  test("a Deny of other profiles without Null denies direct calls too; with Null it does not", async () => {
    const others = (condition) => deny({ Condition: { ArnNotLike: { "bedrock:InferenceProfileArn": "arn:aws:bedrock:*:*:inference-profile/us.*" }, ...condition } });
    const onModels = (condition) => ({ ...others(condition), Resource: "arn:aws:bedrock:*::foundation-model/*" });
    await inForce({ scp: [onModels({})] });
    await denied(inRegion, /explicit deny in a service control policy/);
    await inForce({ scp: [onModels({ Null: { "bedrock:InferenceProfileArn": "false" } })] });
    assert.equal((await call(inRegion)).stopReason, "end_turn");
    assert.equal((await call(usProfile)).stopReason, "end_turn");
    await denied(globalProfile, /explicit deny in a service control policy/);
  });

  test("whom the organisation does not name is denied, and told so", async () => {
    await inForce({ identity: { [bot]: [allow()] } });
    const record = await denied(usProfile, /because the policies in force do not name this principal/);
    assert.equal(record.portolan.deniedBy, "unnamed");
  });

  test("conditions on the request decide call by call", async () => {
    await inForce({ scp: [deny({ Sid: "NoCurl", Condition: { StringLike: { "aws:UserAgent": "curl*" } } })] });
    assert.equal((await call(usProfile)).stopReason, "end_turn");
    const asCurl = await fetch(`${sandbox.gateway}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${sandbox.apiKey}`, "content-type": "application/json", "user-agent": "curl/8" },
      body: JSON.stringify({ model: usProfile, messages: [{ role: "user", content: "#tokens=1" }] }),
    });
    assert.equal(asCurl.status, 403);
  });

  test("a set with a mistake changes nothing, and every mistake is told with its place", async () => {
    await inForce({});
    const directory = await write({ scp: [onlyEast1()] });
    await writeFile(path.join(directory, "scp.json"), '{"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps"}]}');
    const { code, stderr } = await sandbox.cli(["policy", "apply", directory, "--why", "a test"]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /scp\.json:1:\d+/);
    assert.equal((await call(usProfile)).stopReason, "end_turn");
  });

  test("a shadow is counted and not enforced; a share denies its share; rollback ends both", async () => {
    await inForce({});
    const narrow = await write({ scp: [onlyEast1()] });
    await order("apply", narrow, "--shadow");
    await call(usProfile);
    const scrape = await (await fetch(`${sandbox.admin}/metrics`, { headers: { authorization: `Bearer ${sandbox.ready.admin_key}` } })).text();
    assert.match(scrape, /^portolan_shadow_verdicts_total\{would="deny"\} [1-9]/m);
    await order("apply", narrow, "--share", "50");
    const results = await Promise.allSettled(Array.from({ length: 60 }, () => call(usProfile)));
    const refused = results.filter(({ status }) => status === "rejected").length;
    assert.ok(refused > 10 && refused < 50, `${refused} of 60 were denied`);
    await order("rollback");
    await call(usProfile);
    const [state] = await sandbox.json(["policy", "status", "--json"]);
    assert.equal(state.candidate, null);
    const versions = await sandbox.json(["policy", "versions", "--json"]);
    assert.ok(versions.length > 5);
    assert.equal(versions.find((version) => version.state === "in force").version, state.in_force.version);
    const [act] = await sandbox.trail("--event-name", "ApplyPolicies", "--limit", "1");
    assert.equal(act.responseElements.candidateSharePercent, "50");
    assert.equal(act.requestParameters.reason, "a test");
  });
});

describe("subset, from the configuration", () => {
  let gateway;
  let policies;
  before(async () => {
    policies = await write({ scp: [onlyEast1("unspecified")] });
    gateway = await serveBefore(sandbox, path.join(scratch, "subset"), (text) =>
      `policies: ${policies}\n${text}`.replace("  - name: demo", "  - policy_mode: subset\n    name: demo"),
    );
  });
  after(() => gateway?.running.terminate(10_000));
  const record = async ({ $metadata }) => {
    const { stdout } = await run(["trail", "lookup", "--data-dir", gateway.dataDir, "--call-id", $metadata.requestId, "--json"]);
    return JSON.parse(stdout);
  };

  for (const [what, profile] of [["Geographic", usProfile], ["Global", globalProfile]])
    test(`a ${what} call runs in the Region that is left, and the record says what pruned the others`, async () => {
      const answer = await sandbox.runtime({ endpoint: gateway.gateway, maxAttempts: 1 }).send(question(profile));
      assert.equal(answer.$metadata.portolan.inferenceRegion, "us-east-1");
      const { portolan } = await record(answer);
      assert.deepEqual(portolan.allowedRegions, ["us-east-1"]);
      const causes = portolan.policyCauses;
      assert.ok(causes.some(({ region }) => region === "us-west-2"));
      assert.ok(causes.every(({ statement, policy }) => statement === "DenyOutside" && policy === "scp.json"));
      assert.equal(portolan.policies.version, 1);
    });

  test("a changed directory is taken at a reload, and one with a mistake is not", async () => {
    const call = () => sandbox.runtime({ endpoint: gateway.gateway, maxAttempts: 1 }).send(question(usProfile));
    await writeSet(policies, { scp: [onlyEast1("us-east-2")] });
    gateway.running.signal("SIGHUP");
    await gateway.running.until(() => /policy load: version 2/.test(gateway.running.log), "reloaded");
    assert.deepEqual((await record(await call())).portolan.allowedRegions, ["us-east-1", "us-east-2"]);
    await appendFile(path.join(policies, "scp.json"), "?");
    gateway.running.signal("SIGHUP");
    await gateway.running.until(() => /the configuration stays as it was.*cannot be enforced/s.test(gateway.running.log), "refused");
    assert.match(gateway.running.log, /scp\.json:\d+:\d+/);
    assert.deepEqual((await record(await call())).portolan.allowedRegions, ["us-east-1", "us-east-2"]);
  });

  test("a gateway does not start with a mistake in its policies, and says each", async () => {
    const broken = await write({ scp: [onlyEast1()] });
    await writeFile(path.join(broken, "scp.json"), "{");
    const file = path.join(scratch, "broken.yaml");
    await writeFile(file, gateway.text.replace(/^data_dir: .*$/m, `data_dir: ${path.join(scratch, "broken")}`).replace(/^/, `policies: ${broken}\n`));
    const refused = new Running(["serve", "-c", file]);
    assert.equal((await refused.ended).code, 2, refused.log);
    assert.match(refused.log, /cannot be enforced: 1 mistake\n\s+scp\.json:1:\d+/);
  });
});

test("policies and freezes that change under load let nothing through and refuse nothing that is allowed", (t) =>
  changePoliciesUnderLoad(t, { changes: 8, rate: 200, windowMs: 150 }));

// SPDX-License-Identifier: Apache-2.0
// The trail as evidence about policies: what was never used, the tightened set in force, and recorded calls judged by a
// candidate set.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { Portolan, globalProfile, lines, model, run, usProfile } from "./portolan.mjs";
import { alice, allow, bot, deny, writeSet } from "./policies.mjs";

const question = { messages: [{ role: "user", content: [{ text: "#tokens=1" }] }] };
const inRegion = "amazon.nova-lite-v1:0";

describe("the trail as evidence", () => {
  let scratch;
  let portolan;
  let runtime;
  before(async () => {
    scratch = await mkdtemp(path.join(tmpdir(), "portolan-evidence-"));
    portolan = await Portolan.up({ timeScale: 20 });
    runtime = portolan.runtime({ maxAttempts: 1 });
  });
  after(async () => {
    await portolan?.stop();
    await rm(scratch, { recursive: true, force: true });
  });

  const converse = (modelId) => runtime.send(new ConverseCommand({ ...question, modelId }));
  const stream = async (modelId) => {
    const { stream: events } = await runtime.send(new ConverseStreamCommand({ ...question, modelId }));
    for await (const event of events) assert.ok(event);
  };
  const usedCalls = async () => {
    await converse(usProfile);
    await stream(usProfile);
    await converse(inRegion);
  };
  const write = (name, set) => writeSet(path.join(scratch, name), set);
  const apply = async (directory) => {
    const { code, stderr } = await portolan.cli(["policy", "apply", directory, "--why", "a test"]);
    assert.equal(code, 0, stderr);
  };
  const tagged = (values, name) => values.filter((value) => name in value).map((value) => value[name]);

  test("without evidence nothing is said to be unused", async () => {
    const open = await write("open", {});
    const { code, stderr } = await portolan.cli(["policy", "unused", "--policies", open]);
    assert.equal(code, 1);
    assert.match(stderr, /no call of that time asked a Region, so nothing can be said to be unused/);
    const none = await portolan.cli(["policy", "unused"]);
    assert.equal(none.code, 2);
    assert.match(none.stderr, /no policies are in force; name a set with --policies/);
  });

  test("what is tightened serves the same calls, and denies what was never used", async () => {
    await apply(path.join(scratch, "open"));
    await usedCalls();
    const tightened = path.join(scratch, "tightened");
    const values = await portolan.json(["policy", "unused", "--since", "30d", "--output", tightened, "--json"]);
    const [evidence] = tagged(values, "evidence");
    assert.equal(evidence.calls, 3);
    assert.match(evidence.set, /^version 1 \(.{12}\), in force$/);
    assert.ok(evidence.text.some((line) => /^nothing is known from .* the trail begins there$/.test(line)), evidence.text.join("\n"));
    const unused = tagged(values, "unused");
    const global = unused.find((grant) => grant.principal === alice && grant.profile === globalProfile && grant.action === "bedrock:InvokeModel");
    assert.equal(global.calls, 0);
    assert.deepEqual(global.granted_by, ["identity0.json:4"]);
    const us = unused.find((grant) => grant.principal === alice && grant.profile === usProfile && grant.action === "bedrock:InvokeModel");
    assert.equal(us.calls, 1);
    assert.ok(!us.sources.includes("us-east-1") && us.sources.includes("us-west-2"));
    assert.deepEqual(tagged(values, "never_called"), [bot]);
    const documents = tagged(values, "tightened");
    assert.deepEqual(documents.map(({ file, document }) => [file, document === null]), [["identity0.json", false], ["identity1.json", true]]);
    assert.ok(JSON.stringify(documents[0].document).includes(`us-east-2::foundation-model/${model}`), "every destination of the profile");
    assert.deepEqual(JSON.parse(await readFile(path.join(tightened, "identity0.json"), "utf8")), documents[0].document);

    const lint = await run(["policy", "lint", "--policies", tightened]);
    assert.equal(lint.code, 0, lint.stdout);
    const replay = await portolan.cli(["policy", "replay", "--policies", tightened]);
    assert.equal(replay.code, 0, replay.stdout + replay.stderr);
    assert.match(replay.stdout, /of those that were served: 0 would be denied/);

    await apply(tightened);
    await usedCalls();
    for (const [what, call] of [["Global", () => converse(globalProfile)], ["a stream of a bare model", () => stream(inRegion)]])
      await assert.rejects(call(), { name: "AccessDeniedException" }, `${what} was never used`);
    const asBot = await fetch(`${portolan.gateway}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${portolan.apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ model: usProfile, messages: [{ role: "user", content: "#tokens=1" }] }),
    });
    assert.equal(asBot.status, 403);
    await apply(path.join(scratch, "open"));
  });

  test("people read the grants, the tightened policy and what it is based on", async () => {
    const { code, stdout } = await portolan.cli(["policy", "unused", "--since", "30d", "--principal", "alice"]);
    assert.equal(code, 0);
    assert.match(stdout, /PRINCIPAL +ACTION +CALLED +CALLS +NEVER CALLED FROM +NEVER RAN IN +GRANTED BY/);
    assert.match(stdout, /identity0\.json, tightened:\n(note: .*\n)*\{/);
    assert.match(stdout, /"bedrock:\*" was narrowed to inference/);
    assert.match(stdout, /evidence:\n {2}\d+ records of the trail, from .* to /);
  });

  test("a candidate that denies what was served is told by statement, and the exit code is 1", async () => {
    const east = await write("east", {
      scp: [deny({ Sid: "OnlyEast1", Condition: { StringNotEquals: { "aws:RequestedRegion": ["us-east-1", "unspecified"] } } })],
    });
    const { code, stdout } = await portolan.cli(["policy", "replay", "--policies", east, "--json"]);
    assert.equal(code, 1);
    const values = lines(stdout);
    const { summary } = values.pop();
    assert.equal(summary.calls, values.length);
    assert.equal(summary.served_denied, values.filter((call) => call.was === "served" && call.would_be === "denied").length);
    const denied = values.find((call) => call.profile === usProfile && call.would_be === "denied");
    assert.equal(denied.mode, "strict");
    assert.deepEqual(denied.causes, [
      { kind: "scp", region: "us-east-2", level: "account 111122223333", statement: "OnlyEast1", file: "scp.json", line: 4 },
    ]);
    const record = await portolan.record(denied.call);
    assert.equal(record.eventTime, denied.time);
    const bare = values.find((call) => call.model === inRegion && call.was === "served");
    assert.equal(bare.would_be, "allowed");
    const table = await portolan.cli(["policy", "replay", "--policies", east]);
    assert.match(table.stdout, /served +denied +\S+alice +bedrock:InvokeModel +us\.\S+ +us-east-1 +us-east-2 +scp account 111122223333, OnlyEast1 +scp\.json:4/);

    const subset = await portolan.cli(["policy", "replay", "--policies", east, "--mode", "subset", "--json"]);
    const pruned = lines(subset.stdout).find((call) => call.profile === usProfile && call.was === "served");
    assert.equal(pruned.would_be, "pruned");
    assert.deepEqual(pruned.allowed, ["us-east-1"]);
  });

  test("conditions on the request see the call as it was recorded", async () => {
    const sdkOnly = await write("sdk", { scp: [deny({ Sid: "NoNode", Condition: { StringLike: { "aws:UserAgent": "*aws-sdk-js*" } } })] });
    const flex = await write("flex", { scp: [deny({ Sid: "NoFlex", Condition: { StringEquals: { "bedrock:ServiceTier": "flex" } } })] });
    assert.equal((await portolan.cli(["policy", "replay", "--policies", sdkOnly])).code, 1);
    assert.equal((await portolan.cli(["policy", "replay", "--policies", flex])).code, 0);
    const served = await fetch(`${portolan.gateway}/model/${usProfile}/converse`, {
      method: "POST",
      headers: { authorization: `Bearer ${portolan.apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ ...question, serviceTier: { type: "flex" } }),
    });
    assert.equal(served.status, 200);
    const record = await portolan.record(served.headers.get("x-portolan-call-id"));
    assert.equal(record.portolan.serviceTier, "flex");
    assert.equal(record.portolan.policyMode, "strict");
    assert.equal((await portolan.cli(["policy", "replay", "--policies", flex])).code, 1);
  });

  test("the files of a data directory say the same, and times that are none are told", async () => {
    const open = path.join(scratch, "open");
    const fromGateway = await portolan.json(["policy", "replay", "--policies", open, "--json"]);
    const fromFiles = await run(["policy", "replay", "--policies", open, "--json", "--data-dir", portolan.dataDir]);
    assert.deepEqual(lines(fromFiles.stdout), fromGateway);
    const kept = await run(["policy", "unused", "--data-dir", portolan.dataDir, "--json"]);
    assert.equal(kept.code, 0, kept.stderr);
    const before = await portolan.json(["policy", "replay", "--policies", open, "--json", "--until", "2020-01-01T00:00:00Z"]);
    assert.deepEqual(before[0].summary.calls, 0);
    const wrong = await portolan.cli(["policy", "replay", "--policies", open, "--since", "yesterday"]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--since 'yesterday': write a span such as 30d/);
    const reply = await fetch(`${portolan.admin}/api/trail/page?after=7`, { headers: { authorization: `Bearer ${portolan.ready.admin_key}` } });
    assert.equal(reply.status, 400);
  });

  test("whom a candidate does not name is denied", async () => {
    const { code, stdout } = await portolan.cli(["policy", "replay", "--policies", await write("named", { identity: { [bot]: [allow()] } }), "--json"]);
    assert.equal(code, 1);
    const unnamed = lines(stdout).find((call) => call.principal === alice);
    assert.equal(unnamed.causes[0].kind, "unnamed");
  });
});

// SPDX-License-Identifier: Apache-2.0
// portolan policy check, simulate, who-can, diff and drift: on the example set, and on copies of it that are broken or changed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { binary, globalProfile, model, repository, run, usDestinations, usProfile } from "./portolan.mjs";

const example = path.join(repository, "examples/policies");
const policy = (...words) => run(["policy", ...words]);
const lines = (text) => text.trimEnd().split("\n");
const objects = (text) => (text === "" ? [] : lines(text).map((line) => JSON.parse(line)));

let scratch;
before(async () => (scratch = await mkdtemp(path.join(tmpdir(), "portolan-policy-set-"))));
after(() => rm(scratch, { recursive: true, force: true }));

/** A copy of the example with `edit(text)` for the text of one of its files. */
let copies = 0;
async function changed(file, edit) {
  const directory = path.join(scratch, `set-${++copies}`);
  await cp(example, directory, { recursive: true });
  const at = path.join(directory, file);
  await writeFile(at, edit(await readFile(at, "utf8")));
  return directory;
}
const allowedRegions = (list) => (text) => text.replace(/"aws:RequestedRegion": \[.*\]/, `"aws:RequestedRegion": ${JSON.stringify(list)}`);

describe("check", () => {
  test("finds the example good, and tells its version", async () => {
    const { code, stdout, stderr } = await policy("check", example);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /is good: version [0-9a-f]{12}, 3 accounts in 3 units, 4 principals, 9 documents\n$/);
    const [{ ok, version }] = objects((await policy("check", example, "--json")).stdout);
    assert.equal(ok, true);
    assert.match(version, /^[0-9a-f]{64}$/);
  });

  test("names each mistake with file, line and column, in organization.yaml and in documents", async () => {
    const directory = await changed("organization.yaml", (text) => text.replace("unit: workloads/research", "unit: workloads/reserch"));
    await writeFile(path.join(directory, "scps/no-global.json"), '{"Version": "2012-10-17",\n "Statement": [{"Effect": "Maybe"}]}');
    const { code, stdout, stderr } = await policy("check", directory);
    assert.equal(code, 2);
    assert.match(stdout, /organization\.yaml:\d+:11 accounts\[1\]\.unit: "workloads\/reserch" is not among the units; did you mean workloads\/research\?/);
    assert.match(stdout, /scps\/no-global\.json:2:\d+: /);
    assert.equal(stderr, "portolan: 2 mistakes\n");
    const remarks = objects((await policy("check", directory, "--json")).stdout);
    assert.deepEqual(remarks.map(({ severity, file, line }) => `${severity} ${file} ${line > 0}`), ["error organization.yaml true", "error scps/no-global.json true"]);
  });

  test("tells what AWS would take and is not meant, and finds the set good all the same", async () => {
    const directory = await changed("scps/regions.json", (text) => text.replace("aws:RequestedRegion", "aws:Region"));
    const { code, stdout } = await policy("check", directory);
    assert.equal(code, 0);
    assert.match(stdout, /scps\/regions\.json:\d+:\d+: .*aws:Region/);
    assert.match(stdout, /; 1 to look at, above\n$/);
  });

  test("says what is missing where there is no set", async () => {
    const { code, stdout } = await policy("check", path.join(scratch, "nowhere"));
    assert.equal(code, 2);
    assert.match(stdout, /nowhere\/organization\.yaml:1:1: cannot be read: No such file or directory\n/);
  });
});

describe("simulate", () => {
  const simulate = (directory, ...words) => policy("simulate", "--policies", directory, ...words);
  const alice = ["--principal", "alice", "--source", "us-east-1"];
  const answer = async (directory, ...words) => {
    const { code, stdout, stderr } = await simulate(directory, ...words, "--json");
    assert.ok(code === 0 || code === 1, stderr);
    const found = JSON.parse(stdout);
    assert.equal(code, found.decision === "allowed" ? 0 : 1);
    return found;
  };

  test("allows with the statement that grants each destination", async () => {
    const { decision, mode, regions, message } = await answer(example, ...alice, "--profile", usProfile);
    assert.deepEqual({ decision, mode, message }, { decision: "allowed", mode: "strict", message: null });
    assert.deepEqual(
      regions,
      usDestinations.map((region) => ({ region, decision: "allowed", kind: "identity", level: null, statement: "RunTheModelThroughIt", file: "identity/us-sonnet.json", line: 10 })),
    );
  });

  test("denies a strict call for one destination that an SCP blocks, and prunes it of a subset call", async () => {
    const directory = await changed("scps/regions.json", allowedRegions(["us-east-1"]));
    const strict = await answer(directory, ...alice, "--profile", usProfile);
    assert.equal(strict.decision, "explicit_deny");
    assert.equal(
      strict.message,
      `User: arn:aws:iam::111122223333:user/alice is not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-2::foundation-model/${model} with an explicit deny in a service control policy (Region us-east-2)`,
    );
    assert.deepEqual(strict.regions.map(({ region, decision }) => [region, decision]), [["us-east-1", "allowed"], ["us-east-2", "explicit_deny"], ["us-west-2", "explicit_deny"]]);
    assert.deepEqual(strict.regions[1], { region: "us-east-2", decision: "explicit_deny", kind: "scp", level: "root", statement: "DenyOutsideAllowedRegions", file: "scps/regions.json", line: 4 });
    const { levels } = strict.checks.find(({ requested_region }) => requested_region === "us-east-2");
    assert.deepEqual(
      levels.map(({ kind, level, decision }) => [kind, level, decision].join(" ")),
      ["rcp", "scp"]
        .flatMap((kind) => ["root", "unit workloads", "unit workloads/research", "account 111122223333"].map((level) => `${kind} ${level} ${kind === "scp" && level === "root" ? "explicit_deny" : "allowed"}`))
        .concat("identity  allowed"),
    );

    const subset = await answer(directory, ...alice, "--profile", usProfile, "--mode", "subset");
    assert.equal(subset.decision, "allowed");
    assert.deepEqual(subset.allowed, ["us-east-1"]);
    assert.deepEqual(subset.pruned, ["us-east-2", "us-west-2"]);
  });

  test("denies Global where the list of Regions lacks unspecified, and allows it with it", async () => {
    const without = await answer(await changed("scps/regions.json", allowedRegions(["us-east-1", "us-east-2"])), ...alice, "--profile", globalProfile);
    assert.match(without.message, new RegExp(`on resource: arn:aws:bedrock:::foundation-model/${model} with an explicit deny`));
    const { decision } = await answer(await changed("scps/regions.json", allowedRegions(["us-east-1", "unspecified"])), ...alice, "--profile", globalProfile);
    assert.equal(decision, "allowed");
  });

  test("answers what would be, with a document attached or detached", async () => {
    const file = path.join(scratch, "deny-all.json");
    await writeFile(file, '{"Version":"2012-10-17","Statement":[{"Sid":"Nothing","Effect":"Deny","Action":"*","Resource":"*"}]}');
    for (const target of ["scp:root", "scp:workloads/research", "scp:111122223333", "identity:alice", "boundary:alice"]) {
      const { decision, regions } = await answer(example, ...alice, "--profile", usProfile, "--add", `${target}=${file}`);
      assert.equal(decision, "explicit_deny", target);
      assert.equal(regions[0].file, file);
    }
    const detached = await answer(example, ...alice, "--profile", usProfile, "--remove", "identity/us-sonnet.json");
    assert.equal(detached.decision, "implicit_deny");
    assert.match(detached.message, /because no identity-based policy allows the bedrock:InvokeModel action/);
  });

  test("takes action, session policy, listener, time and keys from the command line", async () => {
    const bob = ["--principal", "bob", "--source", "us-east-1", "--profile", usProfile];
    assert.equal((await answer(example, ...bob, "--action", "Converse")).decision, "allowed");
    const streamed = await answer(example, ...bob, "--action", "ConverseStream");
    assert.equal(streamed.action, "bedrock:InvokeModelWithResponseStream");
    assert.match(streamed.message, /because no permissions boundary allows/);
    assert.equal((await answer(example, ...alice, "--profile", usProfile, "--session-policy", "notebook")).decision, "implicit_deny");
    const office = [...alice, "--profile", usProfile, "--listener", "office"];
    assert.equal((await answer(example, ...office)).decision, "implicit_deny");
    assert.equal((await answer(example, ...office, "--context", "aws:SourceIp=192.0.2.7")).decision, "allowed");
    const evening = path.join(scratch, "evening.json");
    await writeFile(evening, '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2026-11-22T18:00:00Z"}}}]}');
    for (const [now, decision] of [["2026-11-22T17:00:00Z", "allowed"], ["2026-11-22T19:00:00Z", "explicit_deny"]])
      assert.equal((await answer(example, ...alice, "--profile", usProfile, "--add", `scp:root=${evening}`, "--now", now)).decision, decision);
  });

  test("draws the checks and the levels for a person", async () => {
    const directory = await changed("scps/regions.json", allowedRegions(["us-east-1"]));
    const { code, stdout } = await simulate(directory, ...alice, "--profile", usProfile);
    assert.equal(code, 1);
    assert.match(stdout, /^CHECK +REGION +DECISION +BY +STATEMENT +WHERE$/m);
    assert.match(stdout, /^model +us-east-2 +explicit deny +scp root +DenyOutsideAllowedRegions +scps\/regions\.json:4$/m);
    assert.match(stdout, /^ {2}=> +scp +root +denies +DenyOutsideAllowedRegions +scps\/regions\.json:4$/m);
    assert.match(stdout, /^denied: User: arn:aws:iam::111122223333:user\/alice is not authorized/m);
    assert.doesNotMatch(stdout, / $/m, "white space at a line's end");
  });

  test("shows that a root user needs no identity policy", async () => {
    const root = ["--principal", "arn:aws:iam::111122223333:root", "--source", "us-east-1", "--profile", usProfile];
    const { decision, checks } = await answer(example, ...root);
    assert.equal(decision, "allowed");
    for (const { levels } of checks)
      assert.deepEqual(levels.map(({ kind, decision, waived }) => [kind, decision, waived].join(" ")), [...Array(4).fill("rcp allowed false"), ...Array(4).fill("scp allowed false"), "identity implicit_deny true"]);
    const { stdout } = await simulate(example, ...root);
    assert.match(stdout, /^ +identity +has no allow, and none is needed$/m);
    assert.doesNotMatch(stdout, /=>/, "no level denied");
  });

  test("says what is wrong with the question", async () => {
    const refused = async (...words) => {
      const { code, stdout, stderr } = await simulate(example, ...words);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
      return stderr;
    };
    assert.match(await refused("--principal", "alcie", "--profile", usProfile, "--source", "us-east-1"), /no principal "alcie"; did you mean alice\?/);
    assert.match(await refused(...alice, "--profile", "us.anthropic.claude-sonnet"), /is no profile or model of the catalog; did you mean/);
    assert.match(await refused("--principal", "alice", "--profile", usProfile), /--source is needed/);
    assert.match(await refused("--principal", "alice", "--profile", usProfile, "--source", "us-eest-1"), /did you mean us-east-1\?/);
    assert.match(await refused(...alice, "--profile", usProfile, "--context", "aws:SourceIp"), /must be KEY=VALUE/);
    assert.match(await refused(...alice, "--profile", usProfile, "--add", "scp=x.json"), /must be KIND:TARGET=FILE/);
    assert.match(await refused(...alice, "--profile", usProfile, "--add", "scq:root=x.json"), /"scq" is no kind of policy; did you mean scp\?/);
    assert.match(await refused(...alice, "--profile", usProfile, "--remove", "scps/region.json"), /did you mean scps\/regions\.json\?/);
    assert.match(await refused(...alice, "--profile", usProfile, "--listener", "cellar"), /no listener "cellar"/);
    assert.match(await refused("--source", "us-east-1"), /--principal and --profile are needed, or --requests/);
  });

  test("takes an ARN by its Region and account, as the gateway does", async () => {
    const arn = (account, type = "inference-profile", region = "us-east-1") => `arn:aws:bedrock:${region}:${account}:${type}/${type === "foundation-model" ? model : usProfile}`;
    const { source, decision } = await answer(example, "--principal", "alice", "--profile", arn("111122223333"));
    assert.deepEqual({ source, decision }, { source: "us-east-1", decision: "allowed" });
    for (const [profile, says] of [
      [arn("999999999999"), /--profile: the ARN names account 999999999999, and the caller is of 111122223333; /],
      [arn("111122223333", "application-inference-profile"), /us\.anthropic\S+ is no application profile/],
      [`arn:aws:bedrock:us-east-1::foundation-model/${usProfile}`, /is an inference profile; its ARN has the type inference-profile/],
      [`arn:aws:bedrock:us-east-1:111122223333:inference-profile/${model}`, /is a model; its ARN has the type foundation-model/],
      [arn("", "inference-profile"), /the ARN of an inference profile names its Region and its account/],
      [`arn:aws:s3:us-east-1:111122223333:inference-profile/${usProfile}`, /is no profile or model of the catalog/],
      [arn("111122223333", "inference-profile", "us-west-2"), /--source us-east-1: the ARN names us-west-2/],
    ]) {
      const { code, stdout, stderr } = await simulate(example, ...alice, "--profile", profile);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" }, profile);
      assert.match(stderr, says);
    }
  });

  test("asks for no action that does not exist, which Allow * would allow", async () => {
    const app = ["--principal", "app", "--source", "us-east-1", "--profile", usProfile];
    for (const [action, says] of [
      ["InvokeModl", /--action: 'bedrock:InvokeModl' is no action of Amazon Bedrock; did you mean InvokeModel\?/],
      ["bedorck:InvokeModel", /'bedorck' is no AWS service that is known here; did you mean bedrock\?/],
      ["Invoke*", /'bedrock:Invoke\*' is a pattern; a call is checked for one action/],
    ])
      for (const { code, stdout, stderr } of [await simulate(example, ...app, "--action", action), await policy("who-can", usProfile, "--policies", example, "--action", action)]) {
        assert.deepEqual({ code, stdout }, { code: 2, stdout: "" }, action);
        assert.match(stderr, says);
      }
  });
});

describe("simulate --requests", () => {
  const request = (resource) => ({
    principal: "arn:aws:iam::111122223333:user/alice",
    action: "s3:GetObject",
    resource,
    context: {},
    identity_policies: [{ Version: "2012-10-17", Statement: [{ Sid: "Mine", Effect: "Allow", Action: "s3:Get*", Resource: "arn:aws:s3:::mine/*" }] }],
  });
  const input = (...requests) => requests.map((each) => `${JSON.stringify(each)}\n`).join("");

  test("answers a line with a line, from the standard input and from a file", async () => {
    const text = input(request("arn:aws:s3:::mine/a"), request("arn:aws:s3:::other/a"));
    const file = path.join(scratch, "requests.jsonl");
    await writeFile(file, text);
    for (const answers of [await run(["policy", "simulate", "--requests", "-"], { input: text }), await policy("simulate", "--requests", file)]) {
      assert.equal(answers.code, 0, answers.stderr);
      const [mine, other] = objects(answers.stdout);
      assert.equal(mine.decision, "allowed");
      assert.equal(mine.by.sid, "Mine");
      assert.equal(other.decision, "implicit_deny");
    }
  });

  test("says what is wrong with a line, and goes on", async () => {
    const { code, stdout } = await run(["policy", "simulate", "--requests", "-"], { input: `{"principal":\n${input(request("arn:aws:s3:::mine/a"))}` });
    assert.equal(code, 2);
    const [broken, sound] = objects(stdout);
    assert.ok(broken.error, stdout);
    assert.equal(sound.decision, "allowed");
  });

  test("answers a program that waits for each answer", async () => {
    const child = spawn(binary, ["policy", "simulate", "--requests", "-"], { stdio: ["pipe", "pipe", "inherit"] });
    const ended = new Promise((resolve) => child.on("close", resolve));
    const answers = child.stdout.setEncoding("utf8")[Symbol.asyncIterator]();
    for (const [resource, decision] of [["arn:aws:s3:::mine/a", "allowed"], ["arn:aws:s3:::other/a", "implicit_deny"]]) {
      child.stdin.write(input(request(resource)));
      const { value } = await answers.next();
      assert.equal(JSON.parse(value).decision, decision);
    }
    child.stdin.end();
    assert.equal(await ended, 0);
  });

  test("answers thousands a second", async () => {
    const count = 5_000;
    const text = input(request("arn:aws:s3:::mine/a")).repeat(count);
    const begun = performance.now();
    const { stdout } = await run(["policy", "simulate", "--requests", "-"], { input: text });
    assert.equal(lines(stdout).length, count);
    assert.ok(performance.now() - begun < 5_000, `${performance.now() - begun} ms`);
  });
});

describe("who-can", () => {
  const whoCan = (...words) => policy("who-can", "--policies", example, ...words);

  test("lists principals with the source Regions from which they reach the same destinations", async () => {
    const { code, stdout } = await whoCan(usProfile);
    assert.equal(code, 0);
    assert.match(stdout, /^arn:aws:iam::111122223333:user\/alice +us-east-1 +us-east-1, us-east-2, us-west-2$/m);
    assert.match(stdout, /^arn:aws:iam::444455556666:user\/\* +us-east-1 +/m);
    const rows = objects((await whoCan(usProfile, "us-west-2", "--json")).stdout);
    const app = rows.filter(({ principal }) => principal.endsWith("role/service/app"));
    assert.deepEqual(app.map(({ source, regions }) => [source, regions]), usDestinations.map((source) => [source, usDestinations]));
  });

  test("says when it is nobody", async () => {
    const { code, stdout } = await whoCan(`jp.${model}`);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "nobody\n" });
    assert.deepEqual(await whoCan(`jp.${model}`, "--json"), { code: 0, signal: null, stdout: "", stderr: "" });
  });

  test("does not say nobody of a Region where the profile never runs", async () => {
    const { code, stdout, stderr } = await whoCan(usProfile, "eu-west-1");
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
    assert.match(stderr, /REGION eu-west-1: us\.anthropic\S+ never runs there, whoever calls it, only in us-east-1, us-east-2, us-west-1, us-west-2, ca-central-1\n/);
  });

  test("lists who may call the one profile that an ARN names", async () => {
    const rows = objects((await whoCan(`arn:aws:bedrock:us-east-1:111122223333:inference-profile/${usProfile}`, "--json")).stdout);
    assert.ok(rows.some(({ principal }) => principal.endsWith("user/alice")));
    for (const { principal, source } of rows) assert.match(`${principal} ${source}`, /::111122223333:\S+ us-east-1$/);
  });

  test("asks for a profile, not a model", async () => {
    const { code, stderr } = await whoCan(model);
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`is a model; who-can wants an inference profile, such as us\\.${model}`));
  });
});

describe("diff", () => {
  test("finds no difference between equal sets", async () => {
    assert.deepEqual(await policy("diff", example, example), { code: 0, signal: null, stdout: "no cell changes\n", stderr: "" });
  });

  test("tells the cells that change in both directions, and what denies", async () => {
    const narrower = await changed("scps/regions.json", allowedRegions(["us-east-1", "us-east-2", "unspecified"]));
    const withdrawn = objects((await policy("diff", example, narrower, "--json")).stdout);
    const granted = objects((await policy("diff", narrower, example, "--json")).stdout);
    assert.ok(withdrawn.length > 0);
    assert.deepEqual(granted.map((cell) => ({ ...cell, change: "withdrawn" })), withdrawn);
    const cell = withdrawn.find(({ principal, profile, region }) => principal.endsWith("user/alice") && profile === usProfile && region === "us-west-2");
    assert.deepEqual(cell, {
      change: "withdrawn",
      principal: "arn:aws:iam::111122223333:user/alice",
      action: "bedrock:InvokeModel",
      profile: usProfile,
      model,
      source: "us-east-1",
      region: "us-west-2",
      decision: "explicit_deny",
      kind: "scp",
      level: "root",
      statement: "DenyOutsideAllowedRegions",
      file: "scps/regions.json",
      line: 4,
    });
    const { code, stdout } = await policy("diff", example, narrower);
    assert.equal(code, 1);
    assert.match(stdout, /^- +arn:aws:iam::111122223333:user\/alice +us\.anthropic\.claude-sonnet-4-5\S+ +us-east-1, us-east-2, us-west-2 +us-east-1 +now: explicit deny, scp root, scps\/regions\.json:4 DenyOutsideAllowedRegions$/m);
  });

  test("tells a grant of models by their bare id", async () => {
    const wider = await changed("identity/us-sonnet.json", () => '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"bedrock:InvokeModel","Resource":"arn:aws:bedrock:us-east-1::foundation-model/*"}]}');
    const granted = objects((await policy("diff", example, wider, "--json")).stdout).filter(({ change }) => change === "granted");
    assert.ok(granted.length > 0);
    for (const { profile, model: id, source, region } of granted) assert.deepEqual([profile, typeof id, source, region], [null, "string", "us-east-1", "us-east-1"]);
    assert.match((await policy("diff", example, wider)).stdout, new RegExp(`^\\+ +\\S+user/alice +${granted.find(({ principal }) => principal.endsWith("alice")).model} +us-east-1 +us-east-1 +before: `, "m"));
  });

  test("says which policies of listeners and sessions change, whose calls it does not judge", async () => {
    const closed = await changed("listeners/office.json", (text) => text.replaceAll('"Allow"', '"Deny"'));
    const { code, stdout } = await policy("diff", example, closed);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: 'not judged: the listener policy "office" changes; ask with `policy simulate --listener office`\n' });
    assert.deepEqual(objects((await policy("diff", example, closed, "--json")).stdout), [{ change: "not_judged", kind: "listener", name: "office" }]);
  });

  test("refuses a set with mistakes, naming them", async () => {
    const broken = await changed("organization.yaml", (text) => text.replace("version: 1", "version: 7"));
    const { code, stderr } = await policy("diff", example, broken);
    assert.equal(code, 2);
    assert.match(stderr, /is not used: 1 mistake\n {2}.*organization\.yaml:3:10 version: must be 1, not "7"/);
  });
});

describe("drift", () => {
  /** An export as the AWS CLI writes it, of the example: policies by id with name, type, document and targets. */
  async function exported(name, edit = (policies) => policies) {
    const directory = path.join(scratch, name);
    await mkdir(directory);
    const places = ["r-exam", "ou-exam-10000001", "ou-exam-10000002", "ou-exam-10000003", "000000000000", "111122223333", "444455556666"];
    const content = (file) => readFile(path.join(example, file), "utf8");
    const policies = edit([
      { id: "p-FullAWSAccess", name: "FullAWSAccess", targets: places, content: "{}" },
      { id: "p-RCPFullAWSAccess", name: "RCPFullAWSAccess", targets: places, content: "{}" },
      { id: "p-regions1", name: "regions", targets: ["r-exam"], content: await content("scps/regions.json") },
      { id: "p-noglobal1", name: "no-global", targets: ["ou-exam-10000003"], content: await content("scps/no-global.json") },
      { id: "p-owno1", name: "own-organization", targets: ["ou-exam-10000003"], content: await content("rcps/own-organization.json"), type: "RESOURCE_CONTROL_POLICY" },
    ]);
    for (const { id, name: called, targets, content: document, type = called.startsWith("RCP") ? "RESOURCE_CONTROL_POLICY" : "SERVICE_CONTROL_POLICY" } of policies) {
      const summary = { Id: id, Name: called, Type: type, AwsManaged: called.endsWith("FullAWSAccess") };
      await writeFile(path.join(directory, `policy-${id}.json`), JSON.stringify({ Policy: { PolicySummary: summary, Content: document } }));
      const listed = targets.map((target) => ({ TargetId: target, Name: target, Type: target.startsWith("r-") ? "ROOT" : target.startsWith("ou-") ? "ORGANIZATIONAL_UNIT" : "ACCOUNT" }));
      await writeFile(path.join(directory, `targets-${id}.json`), JSON.stringify({ Targets: listed }));
    }
    return directory;
  }

  test("is none between the example and its export", async () => {
    const { code, stdout, stderr } = await policy("drift", await exported("export-same"), "--policies", example);
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "nothing drifted\n", stderr: "" });
  });

  test("tells what was edited, attached and detached in AWS", async () => {
    const directory = await exported("export-drifted", ([full, rcpFull, regions, noGlobal, own]) => [
      full,
      rcpFull,
      { ...regions, content: regions.content.replace('"us-west-2", ', "") },
      { ...noGlobal, targets: [] },
      own,
      { id: "p-new1", name: "FreezeEverything", targets: ["444455556666"], content: "{}" },
    ]);
    const { code, stdout } = await policy("drift", directory, "--policies", example, "--json");
    assert.equal(code, 1);
    assert.deepEqual(
      objects(stdout).map(({ drift, kind, target, policy: named }) => [drift, kind, target, named].join(" ")),
      ["only_in_aws scp account 444455556666 FreezeEverything", "differs scp root scps/regions.json", "only_in_set scp unit workloads/production scps/no-global.json"],
    );
    const table = await policy("drift", directory, "--policies", example);
    assert.match(table.stdout, /^scp +root +scps\/regions\.json and regions in AWS \(p-regions1\) are different documents; /m);
  });

  test("says what is missing in an export", async () => {
    const empty = path.join(scratch, "export-empty");
    await mkdir(empty);
    for (const [directory, says] of [[empty, /has no \.json files/], [path.join(scratch, "nowhere"), /No such file or directory/]]) {
      const { code, stderr } = await policy("drift", directory, "--policies", example);
      assert.equal(code, 2);
      assert.match(stderr, says);
    }
  });
});

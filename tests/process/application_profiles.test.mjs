// SPDX-License-Identifier: Apache-2.0
// Application inference profiles with the stock AWS SDKs: made, called, tagged, deleted, authorised and recorded.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import {
  CreateInferenceProfileCommand,
  DeleteInferenceProfileCommand,
  GetInferenceProfileCommand,
  ListInferenceProfilesCommand,
  ListTagsForResourceCommand,
  TagResourceCommand,
  UntagResourceCommand,
  paginateListInferenceProfiles,
} from "@aws-sdk/client-bedrock";
import { ConverseCommand, ConverseStreamCommand, InvokeModelCommand } from "@aws-sdk/client-bedrock-runtime";
import { Portolan, globalProfile, lines, model, run, sleep, usDestinations, usProfile } from "./portolan.mjs";
import { account, alice, allow, bot, deny, writeSet } from "./policies.mjs";
import { Rolling } from "./rolling.mjs";
import { serveBefore } from "./serving.mjs";

const nova = "amazon.nova-lite-v1:0";
const source = "us-east-1";
const novaArn = `arn:aws:bedrock:${source}::foundation-model/${nova}`;
const usArn = `arn:aws:bedrock:${source}:${account}:inference-profile/${usProfile}`;
const globalArn = `arn:aws:bedrock:${source}:${account}:inference-profile/${globalProfile}`;
const question = (modelId) => new ConverseCommand({ modelId, messages: [{ role: "user", content: [{ text: "#tokens=1" }] }] });
const tagList = (tags) => Object.entries(tags).map(([key, value]) => ({ key, value }));

let scratch;
let sandbox;
let names = 0;
before(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), "portolan-application-"));
  sandbox = await Portolan.up({ timeScale: 20 });
});
after(async () => {
  await sandbox?.stop();
  await rm(scratch, { recursive: true, force: true });
});

const freshName = () => `profile-${(names += 1)}`;
const control = () => sandbox.control({ maxAttempts: 1 });
const create = (more = {}) =>
  control().send(new CreateInferenceProfileCommand({ inferenceProfileName: freshName(), modelSource: { copyFrom: usArn }, ...more }));
const call = (modelId, options = {}) => sandbox.runtime({ maxAttempts: 1, ...options }).send(question(modelId));
const refusedAs = (name, status, message = /./) => (error) => {
  assert.equal(error.name, name, `${error.name}: ${error.message}`);
  assert.equal(error.$metadata.httpStatusCode, status);
  assert.match(error.message, message);
  return true;
};

describe("with the Bedrock SDK", () => {
  test("a copy of a Geographic profile is created, seen, called and deleted", async () => {
    const made = await create({ inferenceProfileName: "search team", description: "cost: search", tags: tagList({ CostCenter: "7", Team: "search" }) });
    assert.equal(made.$metadata.httpStatusCode, 201);
    assert.equal(made.status, "ACTIVE");
    assert.match(made.inferenceProfileArn, new RegExp(`^arn:aws:bedrock:${source}:${account}:application-inference-profile/[a-z0-9]{12}$`));
    const id = made.inferenceProfileArn.split("/")[1];

    const seen = await control().send(new GetInferenceProfileCommand({ inferenceProfileIdentifier: made.inferenceProfileArn }));
    assert.equal(seen.inferenceProfileName, "search team");
    assert.equal(seen.description, "cost: search");
    assert.equal(seen.inferenceProfileId, id);
    assert.equal(seen.type, "APPLICATION");
    assert.ok(Math.abs(seen.createdAt - Date.now()) < 86_400_000 * 366, `${seen.createdAt}`);
    assert.deepEqual(seen.models.map((entry) => entry.modelArn).sort(), usDestinations.map((region) => `arn:aws:bedrock:${region}::foundation-model/${model}`));
    assert.equal((await control().send(new GetInferenceProfileCommand({ inferenceProfileIdentifier: id }))).inferenceProfileArn, made.inferenceProfileArn);

    for (const modelId of [made.inferenceProfileArn, id]) {
      const answer = await call(modelId);
      const record = await sandbox.record(answer.$metadata.requestId);
      assert.equal(record.requestParameters.modelId, modelId);
      assert.equal(record.portolan.profile, id);
      assert.equal(record.portolan.profileKind, "application");
      assert.equal(record.portolan.profileArn, made.inferenceProfileArn);
      assert.equal(record.portolan.copyFrom, usArn);
      assert.deepEqual(record.portolan.tags, { CostCenter: "7", Team: "search" });
      assert.equal(record.portolan.model, model);
      assert.deepEqual(record.portolan.allowedRegions, usDestinations);
      assert.ok(usDestinations.includes(record.additionalEventData.inferenceRegion));
    }
    const stream = await sandbox.runtime().send(new ConverseStreamCommand({ modelId: made.inferenceProfileArn, messages: [{ role: "user", content: [{ text: "#tokens=3" }] }] }));
    let stopped = false;
    for await (const event of stream.stream) stopped ||= event.messageStop !== undefined;
    assert.ok(stopped);
    const invoked = await sandbox.runtime().send(
      new InvokeModelCommand({
        modelId: made.inferenceProfileArn,
        body: JSON.stringify({ anthropic_version: "bedrock-2023-05-31", max_tokens: 5, messages: [{ role: "user", content: "#tokens=1" }] }),
      }),
    );
    assert.equal(invoked.$metadata.httpStatusCode, 200);

    assert.equal((await control().send(new DeleteInferenceProfileCommand({ inferenceProfileIdentifier: made.inferenceProfileArn }))).$metadata.httpStatusCode, 200);
    await assert.rejects(call(made.inferenceProfileArn), refusedAs("ResourceNotFoundException", 404, new RegExp(id)));
    await assert.rejects(call(id), refusedAs("ResourceNotFoundException", 404));
    await assert.rejects(control().send(new GetInferenceProfileCommand({ inferenceProfileIdentifier: id })), refusedAs("ResourceNotFoundException", 404));
  });

  test("a copy of a model runs in the source Region alone, and a copy of a Global profile anywhere", async () => {
    const single = await create({ modelSource: { copyFrom: novaArn } });
    const record = await sandbox.record((await call(single.inferenceProfileArn)).$metadata.requestId);
    assert.deepEqual(record.portolan.allowedRegions, [source]);
    assert.equal(record.additionalEventData.inferenceRegion, source);

    const anywhere = await create({ modelSource: { copyFrom: globalArn } });
    const { models } = await control().send(new GetInferenceProfileCommand({ inferenceProfileIdentifier: anywhere.inferenceProfileArn }));
    assert.ok(models.some((entry) => entry.modelArn === `arn:aws:bedrock:::foundation-model/${model}`));
    const original = await sandbox.record((await call(globalProfile)).$metadata.requestId);
    const copied = await sandbox.record((await call(anywhere.inferenceProfileArn)).$metadata.requestId);
    assert.deepEqual(copied.portolan.allowedRegions, original.portolan.allowedRegions);
  });

  test("chat completions take an application profile too", async () => {
    const made = await create();
    const answer = await sandbox.openai().chat.completions.create({ model: made.inferenceProfileArn, messages: [{ role: "user", content: "#tokens=1" }], max_tokens: 5 });
    assert.equal(answer.choices[0].finish_reason, "stop");
  });

  test("tags are added, replaced, listed and taken away", async () => {
    const { inferenceProfileArn: resourceARN } = await create({ tags: tagList({ Team: "search" }) });
    const list = async () => Object.fromEntries((await control().send(new ListTagsForResourceCommand({ resourceARN }))).tags.map(({ key, value }) => [key, value]));
    assert.deepEqual(await list(), { Team: "search" });
    await control().send(new TagResourceCommand({ resourceARN, tags: tagList({ Team: "ads", "Cost/Center": "" }) }));
    assert.deepEqual(await list(), { Team: "ads", "Cost/Center": "" });
    await control().send(new UntagResourceCommand({ resourceARN, tagKeys: ["Team", "never"] }));
    assert.deepEqual(await list(), { "Cost/Center": "" });
    const record = await sandbox.record((await call(resourceARN)).$metadata.requestId);
    assert.deepEqual(record.portolan.tags, { "Cost/Center": "" });
  });

  test("lists tell types apart and page through both", async () => {
    const made = await Promise.all([create(), create(), create()]);
    const ids = made.map(({ inferenceProfileArn }) => inferenceProfileArn.split("/")[1]);
    const walk = async (more) => {
      const walked = [];
      for await (const page of paginateListInferenceProfiles({ client: control(), pageSize: 2 }, more)) walked.push(...page.inferenceProfileSummaries);
      return walked;
    };
    const applications = await walk({ typeEquals: "APPLICATION" });
    assert.ok(applications.every((profile) => profile.type === "APPLICATION" && profile.models.length > 0));
    for (const id of ids) assert.equal(applications.filter((profile) => profile.inferenceProfileId === id).length, 1, id);
    assert.ok((await walk({ typeEquals: "SYSTEM_DEFINED" })).every((profile) => profile.type === "SYSTEM_DEFINED"));
    const all = (await walk({})).map((profile) => profile.inferenceProfileId);
    assert.ok(all.includes(usProfile) && ids.every((id) => all.includes(id)));
    const elsewhere = await sandbox.control({ region: "us-west-2" }).send(new ListInferenceProfilesCommand({ typeEquals: "APPLICATION" }));
    assert.deepEqual(elsewhere.inferenceProfileSummaries, [], "a profile belongs to its Region");
  });

  test("the same clientRequestToken makes one profile, and none for something else", async () => {
    const asked = { inferenceProfileName: freshName(), clientRequestToken: "the-same-token" };
    const first = await create(asked);
    assert.equal((await create(asked)).inferenceProfileArn, first.inferenceProfileArn);
    await assert.rejects(create({ ...asked, inferenceProfileName: freshName() }), refusedAs("ConflictException", 400, /clientRequestToken/));
    await assert.rejects(create({ inferenceProfileName: asked.inferenceProfileName }), refusedAs("ConflictException", 400, /already/));
  });

  test("what AWS refuses is refused", async () => {
    const copying = (copyFrom) => create({ modelSource: { copyFrom } });
    await assert.rejects(create({ inferenceProfileName: "two  spaces" }), refusedAs("ValidationException", 400, /'inferenceProfileName' failed to satisfy constraint/));
    await assert.rejects(create({ description: "no/slash" }), refusedAs("ValidationException", 400, /'description'/));
    await assert.rejects(create({ tags: tagList({ "aws:mine": "x" }) }), refusedAs("ValidationException", 400, /reserved/));
    await assert.rejects(create({ tags: Array.from({ length: 51 }, (_, i) => ({ key: `k${i}`, value: "" })) }), refusedAs("TooManyTagsException", 400));
    await assert.rejects(copying(usProfile), refusedAs("ValidationException", 400, /the ARN of a foundation model/));
    await assert.rejects(copying(usArn.replace(source, "us-west-2")), refusedAs("ValidationException", 400, /names Region us-west-2/));
    await assert.rejects(copying(usArn.replace(account, "999988887777")), refusedAs("AccessDeniedException", 403, /999988887777/));
    await assert.rejects(copying(`${usArn}x`), refusedAs("ResourceNotFoundException", 404));
    await assert.rejects(copying(`arn:aws:bedrock:${source}::foundation-model/${model}`), refusedAs("ValidationException", 400, /on-demand throughput/));
    const made = await create();
    await assert.rejects(copying(made.inferenceProfileArn), refusedAs("ValidationException", 400, /the ARN of a foundation model/));
    const remove = (inferenceProfileIdentifier) => control().send(new DeleteInferenceProfileCommand({ inferenceProfileIdentifier }));
    await assert.rejects(remove("abcdefghijkl"), refusedAs("ResourceNotFoundException", 404));
    await assert.rejects(remove(usProfile), refusedAs("ResourceNotFoundException", 404));
    await assert.rejects(control().send(new TagResourceCommand({ resourceARN: `${made.inferenceProfileArn}x`, tags: [] })), refusedAs("ResourceNotFoundException", 404));
    await assert.rejects(control().send(new TagResourceCommand({ resourceARN: made.inferenceProfileArn, tags: Array.from({ length: 51 }, (_, i) => ({ key: `k${i}`, value: "" })) })), refusedAs("TooManyTagsException", 400));
  });

  test("nobody calls, sees or changes another account's profile", async () => {
    const made = await create();
    const foreign = made.inferenceProfileArn.replace(account, "999988887777");
    await assert.rejects(call(foreign), refusedAs("AccessDeniedException", 403, new RegExp(`^User: ${alice} is not authorized to perform: bedrock:InvokeModel on resource: ${foreign} because no resource-based policy allows`)));
    await assert.rejects(control().send(new DeleteInferenceProfileCommand({ inferenceProfileIdentifier: foreign })), refusedAs("AccessDeniedException", 403, /bedrock:DeleteInferenceProfile/));
    await assert.rejects(control().send(new ListTagsForResourceCommand({ resourceARN: foreign })), refusedAs("AccessDeniedException", 403));
  });

  test("every change is one CloudTrail event with what was asked and what came of it", async () => {
    const made = await create({ tags: tagList({ Team: "search" }), clientRequestToken: "recorded" });
    const record = await sandbox.record(made.$metadata.requestId);
    assert.equal(record.eventName, "CreateInferenceProfile");
    assert.equal(record.eventSource, "bedrock.amazonaws.com");
    assert.equal(record.readOnly, false);
    assert.equal(record.eventType, "AwsApiCall");
    assert.equal(record.managementEvent, true);
    assert.equal(record.awsRegion, source);
    assert.equal(record.userIdentity.arn, alice);
    assert.deepEqual(record.requestParameters, {
      inferenceProfileName: `profile-${names}`,
      modelSource: { copyFrom: usArn },
      clientRequestToken: "recorded",
      tags: [{ key: "Team", value: "search" }],
    });
    assert.deepEqual(record.responseElements, { inferenceProfileArn: made.inferenceProfileArn, status: "ACTIVE" });

    const resourceARN = made.inferenceProfileArn;
    const tagged = await control().send(new TagResourceCommand({ resourceARN, tags: tagList({ A: "1" }) }));
    const untagged = await control().send(new UntagResourceCommand({ resourceARN, tagKeys: ["A"] }));
    const listed = await control().send(new ListTagsForResourceCommand({ resourceARN }));
    const deleted = await control().send(new DeleteInferenceProfileCommand({ inferenceProfileIdentifier: resourceARN }));
    const facts = async (reply) => {
      const { eventName, readOnly, requestParameters } = await sandbox.record(reply.$metadata.requestId);
      return { eventName, readOnly, requestParameters };
    };
    assert.deepEqual(await facts(tagged), { eventName: "TagResource", readOnly: false, requestParameters: { resourceARN, tags: [{ key: "A", value: "1" }] } });
    assert.deepEqual(await facts(untagged), { eventName: "UntagResource", readOnly: false, requestParameters: { resourceARN, tagKeys: ["A"] } });
    assert.deepEqual(await facts(listed), { eventName: "ListTagsForResource", readOnly: true, requestParameters: { resourceARN } });
    assert.deepEqual(await facts(deleted), { eventName: "DeleteInferenceProfile", readOnly: false, requestParameters: { inferenceProfileIdentifier: resourceARN } });

    const failed = await create({ inferenceProfileName: "--" }).catch((error) => error);
    const refusal = await sandbox.record(failed.$metadata.requestId);
    assert.equal(refusal.errorCode, "ValidationException");
    assert.equal(refusal.responseElements, null);
    assert.equal(refusal.portolan.stage, "understand");
  });

  test("a profile is deleted under load: calls that have begun end well, later ones are refused", async () => {
    const { inferenceProfileArn } = await create();
    const slow = Array.from({ length: 8 }, () =>
      sandbox.runtime({ maxAttempts: 1 }).send(new ConverseCommand({ modelId: inferenceProfileArn, messages: [{ role: "user", content: [{ text: "#tokens=400" }] }] })),
    );
    await sleep(60);
    await control().send(new DeleteInferenceProfileCommand({ inferenceProfileIdentifier: inferenceProfileArn }));
    await assert.rejects(call(inferenceProfileArn), refusedAs("ResourceNotFoundException", 404));
    for (const answer of await Promise.all(slow)) {
      assert.equal(answer.stopReason, "end_turn");
      assert.equal((await sandbox.record(answer.$metadata.requestId)).portolan.profileArn, inferenceProfileArn);
    }
  });

  test("a created profile can be called at once, on every reactor", async () => {
    for (let round = 0; round < 5; round += 1) {
      const { inferenceProfileArn } = await create();
      // New connections, so that different reactors take them.
      const answers = await Promise.all(Array.from({ length: 8 }, () => call(inferenceProfileArn)));
      assert.ok(answers.every((answer) => answer.stopReason === "end_turn"));
    }
  });
});

describe("under policies", () => {
  const order = async (...words) => {
    const { code, stderr } = await sandbox.cli(["policy", ...words, "--why", "a test"]);
    assert.equal(code, 0, stderr);
  };
  let sets = 0;
  const inForce = async (set) => order("apply", await writeSet(path.join(scratch, `set${(sets += 1)}`), set));
  const everything = [allow()];
  const aliceMay = (...statements) => inForce({ identity: { [alice]: statements, [bot]: everything } });
  const anyCopy = "arn:aws:bedrock:*:*:application-inference-profile/*";
  const denied = (action, resource, why) =>
    refusedAs("AccessDeniedException", 403, new RegExp(`^User: ${alice} is not authorized to perform: bedrock:${action} on resource: ${resource.replaceAll("*", "\\S*")}.*${why}`));

  test("creating needs an Allow of the source and of the new profile", async () => {
    await aliceMay(allow({ Resource: "arn:aws:bedrock:*:*:inference-profile/*" }));
    await assert.rejects(create(), denied("CreateInferenceProfile", anyCopy, "because no identity-based policy allows"));
    await aliceMay(allow({ Resource: anyCopy }));
    await assert.rejects(create(), denied("CreateInferenceProfile", usArn, "because no identity-based policy allows"));
    await aliceMay(allow({ Action: "bedrock:CreateInferenceProfile", Resource: ["arn:aws:bedrock:*:*:inference-profile/us.*", anyCopy] }));
    await create();
    const refusal = await create({ modelSource: { copyFrom: globalArn } }).catch((error) => error);
    const record = await sandbox.record(refusal.$metadata.requestId);
    assert.equal(record.errorCode, "AccessDenied");
    assert.equal(record.portolan.deniedBy, "identity");
    assert.equal(record.portolan.stage, "permit");
    await assert.rejects(control().send(new ListInferenceProfilesCommand({})), denied("ListInferenceProfiles", "*", "because no identity-based policy allows"));
  });

  test("tags of the request are held against aws:RequestTag and aws:TagKeys", async () => {
    const tagged = { StringEquals: { "aws:RequestTag/Team": ["search", "ads"] }, "ForAllValues:StringEquals": { "aws:TagKeys": ["Team", "CostCenter"] } };
    await aliceMay(allow({ Action: ["bedrock:Create*", "bedrock:TagResource", "bedrock:UntagResource"], Condition: tagged }), allow({ Action: "bedrock:List*" }));
    const { inferenceProfileArn: resourceARN } = await create({ tags: tagList({ Team: "search" }) });
    await assert.rejects(create(), denied("CreateInferenceProfile", usArn, "because no identity"));
    await assert.rejects(create({ tags: tagList({ Team: "hr" }) }), denied("CreateInferenceProfile", usArn, "because no identity"));
    await assert.rejects(create({ tags: tagList({ Team: "ads", Other: "x" }) }), denied("CreateInferenceProfile", usArn, "because no identity"));
    await control().send(new TagResourceCommand({ resourceARN, tags: tagList({ Team: "ads" }) }));
    await assert.rejects(control().send(new TagResourceCommand({ resourceARN, tags: tagList({ Team: "hr" }) })), denied("TagResource", resourceARN, "because no identity"));
  });

  test("tags of the profile are held against aws:ResourceTag, for changes and for calls, in both modes", async () => {
    await aliceMay(...everything);
    const search = (await create({ tags: tagList({ Team: "search" }) })).inferenceProfileArn;
    const ads = (await create({ tags: tagList({ Team: "ads" }) })).inferenceProfileArn;
    const ofSearch = { StringEquals: { "aws:ResourceTag/Team": "search" } };
    const models = allow({ Resource: "arn:aws:bedrock:*::foundation-model/*" });
    await aliceMay(allow({ Resource: anyCopy, Condition: ofSearch }), models);
    await call(search);
    await assert.rejects(call(ads), denied("InvokeModel", ads, "because no identity-based policy allows"));
    const remove = (inferenceProfileIdentifier) => control().send(new DeleteInferenceProfileCommand({ inferenceProfileIdentifier }));
    await assert.rejects(remove(ads), denied("DeleteInferenceProfile", ads, "because no identity"));
    // Who may not delete does not learn whether there is one.
    await assert.rejects(remove("zzzzzzzzzzzz"), refusedAs("AccessDeniedException", 403));

    await inForce({ identity: { [alice]: everything, [bot]: everything }, scp: [deny({ Sid: "NotAds", Resource: anyCopy, Condition: { StringEquals: { "aws:ResourceTag/Team": "ads" } } })] });
    await call(search);
    await assert.rejects(call(ads), denied("InvokeModel", ads, "with an explicit deny in a service control policy"));

    // A tag that changes is held against the same policies at once.
    await control().send(new TagResourceCommand({ resourceARN: search, tags: tagList({ Team: "ads" }) }));
    await assert.rejects(call(search), denied("InvokeModel", search, "with an explicit deny"));
    await remove(search).then(
      () => assert.fail("the SCP denies it"),
      refusedAs("AccessDeniedException", 403, /NotAds|explicit deny/),
    );
  });

  test("a copy of AWS's profile is judged strictly, as what it copies", async () => {
    await aliceMay(...everything);
    const { inferenceProfileArn } = await create();
    await inForce({ scp: [deny({ Sid: "NotEast2", Condition: { StringEquals: { "aws:RequestedRegion": "us-east-2" } } })] });
    await assert.rejects(call(inferenceProfileArn), refusedAs("AccessDeniedException", 403, /us-east-2/));
    await order("rollback", "0");
  });

  test("a freeze of a profile stops its copies", async () => {
    const { inferenceProfileArn } = await create();
    await order("freeze", "profile", usProfile);
    await assert.rejects(call(inferenceProfileArn), refusedAs("AccessDeniedException", 403, /frozen/));
    await order("unfreeze", "profile", usProfile);
    await call(inferenceProfileArn);
  });
});

describe("as its gateway is configured, restarted and replaced", () => {
  const at = (gateway) => ({ endpoint: gateway.gateway, maxAttempts: 1 });
  const makeAt = (gateway, more = {}) =>
    sandbox.control(at(gateway)).send(new CreateInferenceProfileCommand({ inferenceProfileName: freshName(), modelSource: { copyFrom: usArn }, ...more }));
  const callAt = (gateway, modelId) => sandbox.runtime(at(gateway)).send(question(modelId));
  let directories = 0;
  const freshDirectory = () => path.join(scratch, `gateway${(directories += 1)}`);
  const serve = async (t, dataDir, change) => {
    const gateway = await serveBefore(sandbox, dataDir, change);
    t.after(() => gateway.running.kill());
    return gateway;
  };

  test("bedrock:InferenceProfileArn holds the copy's ARN or the copied's, as the setting says", async (t) => {
    const through = (pattern) => ({
      identity: {
        [alice]: [
          allow({ Resource: `arn:aws:bedrock:*:${account}:*` }),
          allow({ Resource: "arn:aws:bedrock:*::foundation-model/*", Condition: { ArnLike: { "bedrock:InferenceProfileArn": pattern } } }),
          allow({ Action: "bedrock:CreateInferenceProfile" }),
        ],
      },
    });
    const application = await writeSet(path.join(scratch, "through-application"), through("arn:aws:bedrock:*:*:application-inference-profile/*"));
    const system = await writeSet(path.join(scratch, "through-system"), through("arn:aws:bedrock:*:*:inference-profile/us.*"));
    for (const [setting, allowing, denying] of [
      ["application", application, system],
      ["system", system, application],
    ]) {
      const gateway = await serve(t, freshDirectory(), (text) => `policies: ${allowing}\napplication_profile_arn: ${setting}\n${text}`);
      const { inferenceProfileArn } = await makeAt(gateway);
      assert.equal((await callAt(gateway, inferenceProfileArn)).stopReason, "end_turn", setting);
      const apply = await run(["policy", "apply", denying, "--why", "a test"], { env: { PORTOLAN_DATA_DIR: gateway.dataDir } });
      assert.equal(apply.code, 0, apply.stderr);
      await assert.rejects(callAt(gateway, inferenceProfileArn), refusedAs("AccessDeniedException", 403, /foundation-model.*because no identity-based policy/), setting);
    }
  });

  test("a tenant's policy_mode says how copies are judged", async (t) => {
    const set = await writeSet(path.join(scratch, "not-east2"), {
      scp: [deny({ Sid: "NotEast2", Resource: "arn:aws:bedrock:*::foundation-model/*", Condition: { StringEquals: { "aws:RequestedRegion": "us-east-2" } } })],
    });
    for (const mode of ["strict", "subset"]) {
      const gateway = await serve(t, freshDirectory(), (text) => `policies: ${set}\n${text}`.replace("  - name: demo", `  - policy_mode: ${mode}\n    name: demo`));
      const { inferenceProfileArn } = await makeAt(gateway, { tags: tagList({ Team: "search" }) });
      if (mode === "strict") {
        await assert.rejects(callAt(gateway, inferenceProfileArn), refusedAs("AccessDeniedException", 403, /us-east-2/));
      } else {
        assert.notEqual((await callAt(gateway, inferenceProfileArn)).$metadata.portolan.inferenceRegion, "us-east-2");
      }
    }
  });

  test("a tenant that may call only some profiles copies only those", async (t) => {
    const gateway = await serve(t, freshDirectory(), (text) => text.replace("  - name: demo", '  - profiles: ["global.*"]\n    name: demo'));
    await assert.rejects(makeAt(gateway), refusedAs("AccessDeniedException", 403, /tenant "demo" may not call it/));
    const { inferenceProfileArn } = await makeAt(gateway, { modelSource: { copyFrom: globalArn } });
    assert.equal((await callAt(gateway, inferenceProfileArn)).stopReason, "end_turn");
  });

  test("profiles outlast a crash, and are in a backup", async (t) => {
    const gateway = await serve(t, freshDirectory());
    const { inferenceProfileArn } = await makeAt(gateway, { tags: tagList({ Team: "search" }) });
    await gateway.running.kill();
    const backup = path.join(scratch, "profiles.backup");
    const restored = freshDirectory();
    const env = { BACKUP_KEY: "correct horse battery" };
    const saved = await run(["backup", "--data-dir", gateway.dataDir, "--to", backup, "--key", "env:BACKUP_KEY"], { env });
    assert.equal(saved.code, 0, saved.stderr);
    const back = await run(["restore", "--from", backup, "--data-dir", restored, "--key", "env:BACKUP_KEY"], { env });
    assert.equal(back.code, 0, back.stderr);
    for (const dataDir of [gateway.dataDir, restored]) {
      const again = await serve(t, dataDir);
      const { tags } = await sandbox.control(at(again)).send(new ListTagsForResourceCommand({ resourceARN: inferenceProfileArn }));
      assert.deepEqual(tags, [{ key: "Team", value: "search" }]);
      assert.equal((await callAt(again, inferenceProfileArn)).stopReason, "end_turn");
    }
  });

  test("a reload keeps them; what copies a profile that is gone is refused, and works again when it is back", async (t) => {
    const coasts = `profiles:\n  - {id: coasts, model: "${model}", sources: [us-east-1], destinations: [us-east-1, us-west-2]}\n`;
    const gateway = await serve(t, freshDirectory(), (text) => coasts + text);
    const { inferenceProfileArn } = await makeAt(gateway, { modelSource: { copyFrom: `arn:aws:bedrock:${source}:${account}:inference-profile/coasts` } });
    assert.equal((await callAt(gateway, inferenceProfileArn)).stopReason, "end_turn");
    const reload = async (text, times) => {
      await writeFile(gateway.file, text);
      gateway.running.signal("SIGHUP");
      await gateway.running.until(() => gateway.running.log.split("is in force\n").length > times, "reloaded");
    };
    await reload(gateway.text, 1);
    await assert.rejects(callAt(gateway, inferenceProfileArn), refusedAs("ResourceNotFoundException", 404, /copies .*inference-profile\/coasts, which cannot be called here any more/));
    const seen = await sandbox.control(at(gateway)).send(new GetInferenceProfileCommand({ inferenceProfileIdentifier: inferenceProfileArn }));
    assert.deepEqual(seen.models, []);
    await reload(coasts + gateway.text, 2);
    assert.equal((await callAt(gateway, inferenceProfileArn)).stopReason, "end_turn");
  });

  test("a successor has them, and takes the next orders", async (t) => {
    const gateway = await Rolling.serve(t, sandbox, freshDirectory());
    const before = await makeAt(gateway);
    await gateway.replace();
    assert.equal((await callAt(gateway, before.inferenceProfileArn)).stopReason, "end_turn");
    const later = await makeAt(gateway, { inferenceProfileName: "made at the successor" });
    assert.equal((await callAt(gateway, later.inferenceProfileArn)).stopReason, "end_turn");
    await sandbox.control(at(gateway)).send(new DeleteInferenceProfileCommand({ inferenceProfileIdentifier: before.inferenceProfileArn }));
    await assert.rejects(callAt(gateway, before.inferenceProfileArn), refusedAs("ResourceNotFoundException", 404));
  });

  test("a store of a newer format is refused at the start", async (t) => {
    const gateway = await serve(t, freshDirectory());
    await gateway.running.terminate();
    const file = path.join(gateway.dataDir, "profiles.db");
    const bytes = await readFile(file);
    bytes.writeUInt32BE(99, 60); // user_version: SQLite's file format, section 1.3
    await writeFile(file, bytes);
    const refused = await run(["serve", "-c", gateway.file]);
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /profiles\.db/);
  });
});

describe("portolan profile", () => {
  const cli = (...words) => sandbox.cli(["profile", ...words]);
  const done = async (...words) => {
    const { code, stdout, stderr } = await cli(...words);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const one = async (...words) => lines(await done(...words, "--json"))[0];

  test("list and show tell system, configured and application profiles with their destinations", async () => {
    await create({ inferenceProfileName: "listed", tags: tagList({ Team: "search" }) });
    const all = lines(await done("list", "--json"));
    assert.deepEqual([...new Set(all.map((profile) => profile.type))].sort(), ["application", "system"]);
    const us = await one("show", usProfile);
    assert.equal(us.type, "system");
    assert.deepEqual(us.destinations["us-east-1"], usDestinations);
    const listed = await one("show", "listed");
    assert.deepEqual(listed.destinations, { [source]: usDestinations });
    assert.deepEqual(listed.tags, { Team: "search" });
    assert.deepEqual(listed.tenants, ["demo"]);
    assert.match(await done("list", "--type", "application", "--tenant", "demo"), /listed\s+us-east-1 us-east-2 us-west-2\s+Team=search/);
    assert.match(await done("show", usProfile), /from\s+to\n/);
    assert.match(await done("list", "--source", source), new RegExp(`^${globalProfile}.* \\d\\d Regions `, "m"), "a column has room for few");
    assert.equal(await done("list", "--tenant", "nobody"), "no such profile\n");
    const unknown = await cli("show", "nothing");
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /there is no inference profile nothing/);
  });

  test("create, tag, untag and delete act at once, and the trail has who and why", async () => {
    const made = await one("create", "--tenant", "demo", "--name", "by operator", "--copy-from", usProfile, "--tag", "CostCenter=7", "--tag", "Team=search", "--why", "ticket 4", "--by", "olga");
    assert.equal(made.copy_from, usArn);
    assert.equal(made.source_region, source);
    assert.equal((await call(made.arn)).stopReason, "end_turn");
    assert.deepEqual((await one("tag", "by operator", "Team=ads", "x=")).tags, { CostCenter: "7", Team: "ads", x: "" });
    assert.deepEqual((await one("untag", made.id, "x", "Team")).tags, { CostCenter: "7" });
    assert.match(await done("delete", made.arn, "--why", "over"), /was deleted/);
    await assert.rejects(call(made.arn), refusedAs("ResourceNotFoundException", 404));
    const [record] = (await sandbox.trail("--event-name", "CreateInferenceProfile", "--limit", 0)).filter((each) => each.eventType === "AwsServiceEvent");
    assert.equal(record.userIdentity.userName, "olga");
    assert.equal(record.requestParameters.reason, "ticket 4");
    assert.equal(record.requestParameters.tags, "CostCenter=7, Team=search");
    assert.equal(record.responseElements.inferenceProfileArn, made.arn);
  });

  test("a model is copied by its id, in the Region that is named", async () => {
    const made = await one("create", "--tenant", "demo", "--name", "haiku in Oregon", "--copy-from", "anthropic.claude-3-haiku-20240307-v1:0", "--source", "us-west-2");
    assert.deepEqual(made.destinations, { "us-west-2": ["us-west-2"] });
    await done("delete", made.id);
  });

  test("mistakes are told with exit code 2", async () => {
    for (const [words, message] of [
      [["create", "--tenant", "nobody", "--name", "x", "--copy-from", usProfile], /there is no tenant nobody/],
      [["create", "--tenant", "demo", "--name", "a  b", "--copy-from", usProfile], /inferenceProfileName/],
      [["create", "--tenant", "demo", "--name", "x", "--copy-from", "us.nothing"], /There is no inference profile us.nothing/],
      [["create", "--tenant", "demo", "--name", "x", "--copy-from", usProfile, "--tag", "novalue"], /KEY=VALUE is expected/],
      [["create", "--tenant", "demo", "--name", "x", "--copy-from", usProfile, "--source", "nowhere"], /there is no Region nowhere/],
      [["delete", "nothing"], /there is no application profile nothing/],
      [["delete", usProfile], /there is no application profile/],
      [["list", "--type", "odd"], /odd/],
    ]) {
      const { code, stderr } = await cli(...words);
      assert.equal(code, 2, words.join(" "));
      assert.match(stderr, message);
    }
  });
});

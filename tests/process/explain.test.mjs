// SPDX-License-Identifier: Apache-2.0
// What `explain` says is what then happens: 1,000 random hypothetical calls, each made real at once.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ListInferenceProfilesCommand } from "@aws-sdk/client-bedrock";
import { ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { Portolan, globalProfile, model, randomFrom, seed, usProfile } from "./portolan.mjs";

const calls = 1_000;
const sourceRegions = ["us-east-1", "us-west-1", "us-west-2", "eu-central-1", "eu-west-2", "ap-northeast-1", "ap-southeast-2", "ca-central-1", "sa-east-1"];

let portolan;
before(async () => (portolan = await Portolan.up({ timeScale: 20 })));
after(() => portolan?.stop());

const clients = new Map();
function clientOf(principal, region) {
  const key = `${principal.accessKeyId} ${region}`;
  if (!clients.has(key)) clients.set(key, portolan.runtimeOverHttp1({ region, credentials: principal, maxAttempts: 1 }));
  return clients.get(key);
}

async function makeReal({ principal, modelId, source, text, maxTokens, stream }) {
  const request = { modelId, messages: [{ role: "user", content: [{ text }] }], inferenceConfig: { maxTokens } };
  try {
    const reply = await clientOf(principal, source).send(stream ? new ConverseStreamCommand(request) : new ConverseCommand(request));
    if (stream) for await (const event of reply.stream) void event;
    return { served: true, status: 200, ...reply.$metadata.portolan };
  } catch (error) {
    assert.ok(error.portolan?.callId, `${error.name}: ${error.message}`);
    return { served: false, status: error.$metadata.httpStatusCode, ...error.portolan };
  }
}

test(`explain agrees with what happens, ${calls} times`, async (t) => {
  t.diagnostic(`PORTOLAN_TEST_SEED=${seed}`);
  const random = randomFrom(seed);
  const second = portolan.ready.second_tenant;
  const principals = [portolan.credentials, { accessKeyId: second.access_key_id, secretAccessKey: second.secret_access_key }];
  const modelIds = [usProfile, globalProfile, model, "us.anthropic.claude-none", "nobody.nothing-v1:0"];
  for (const region of ["us-east-1", "eu-central-1", "ap-northeast-1"]) {
    const { inferenceProfileSummaries } = await portolan.control({ region }).send(new ListInferenceProfilesCommand({ maxResults: 1000 }));
    modelIds.push(...inferenceProfileSummaries.map((profile) => profile.inferenceProfileId));
  }

  const outcomes = { served: 0, refused: 0 };
  const stops = new Set();
  for (let index = 0; index < calls; index += 1) {
    const call = {
      principal: random.pick(principals),
      modelId: random.next() < 0.3 ? random.pick([usProfile, globalProfile]) : random.pick(modelIds),
      source: random.pick(sourceRegions),
      text: `${"x".repeat(1 << random.below(14))} #tokens=2`,
      maxTokens: random.pick([1, 10, 1_000, 4_096, 1_000_000]),
      stream: random.next() < 0.5,
    };
    const question = ["--principal", call.principal.accessKeyId, "--profile", call.modelId, "--source-region", call.source];
    question.push("--input-tokens", Math.ceil(call.text.length / 4), "--max-tokens", call.maxTokens);
    if (call.stream) question.push("--stream");
    const foretold = await portolan.explain(...question);
    const happened = await makeReal(call);
    const told = `call ${index}, explain ${question.join(" ")}\n${JSON.stringify(foretold)}\n${JSON.stringify(happened)}`;

    assert.equal(foretold.verdicts.length, 9, told);
    assert.equal(happened.served, foretold.allowed, told);
    if (foretold.allowed) {
      outcomes.served += 1;
      assert.equal(happened.inferenceRegion, foretold.first_region, told);
    } else {
      outcomes.refused += 1;
      assert.equal(happened.status, foretold.status, told);
      const { portolan: fields } = await portolan.record(happened.callId);
      const refusedAt = foretold.verdicts.find((verdict) => !verdict.passed).stop;
      assert.equal(fields.stage, refusedAt, told);
      stops.add(refusedAt);
    }
  }
  t.diagnostic(`${outcomes.served} served, ${outcomes.refused} refused at ${[...stops].join(", ")}`);
  assert.ok(outcomes.served > calls / 10 && outcomes.refused > calls / 10, JSON.stringify(outcomes));
  assert.ok(stops.has("understand") && stops.has("permit"), [...stops].join(" "));
});

// SPDX-License-Identifier: Apache-2.0
// The stock AWS SDK runs a model through an inference profile, and three witnesses agree on where it ran: the reply's
// header, the trail's record and the Region's own count.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  ConverseCommand,
  ConverseStreamCommand,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
} from "@aws-sdk/client-bedrock-runtime";
import { Portolan, globalProfile, model, usDestinations, usProfile } from "./portolan.mjs";

let portolan;
before(async () => (portolan = await Portolan.up()));
after(() => portolan?.stop());

const prompt = "Name the three oldest portolan charts. #tokens=24";
const ask = (modelId) => ({ modelId, messages: [{ role: "user", content: [{ text: prompt }] }], inferenceConfig: { maxTokens: 200 } });
const anthropicBody = (extra = {}) =>
  JSON.stringify({ anthropic_version: "bedrock-2023-05-31", max_tokens: 200, messages: [{ role: "user", content: prompt }], ...extra });

// Each way of asking gives { text, usage, stop, portolan }.
const operations = {
  async Converse(client, modelId) {
    const reply = await client.send(new ConverseCommand(ask(modelId)));
    return {
      text: reply.output.message.content.map((block) => block.text).join(""),
      usage: [reply.usage.inputTokens, reply.usage.outputTokens],
      stop: reply.stopReason,
      portolan: reply.$metadata.portolan,
    };
  },
  async ConverseStream(client, modelId) {
    const reply = await client.send(new ConverseStreamCommand(ask(modelId)));
    const result = { text: "", portolan: reply.$metadata.portolan };
    for await (const event of reply.stream) {
      result.text += event.contentBlockDelta?.delta.text ?? "";
      result.stop ??= event.messageStop?.stopReason;
      if (event.metadata) result.usage = [event.metadata.usage.inputTokens, event.metadata.usage.outputTokens];
    }
    return result;
  },
  async InvokeModel(client, modelId) {
    const reply = await client.send(new InvokeModelCommand({ modelId, contentType: "application/json", body: anthropicBody() }));
    const body = JSON.parse(new TextDecoder().decode(reply.body));
    return {
      text: body.content.map((block) => block.text).join(""),
      usage: [body.usage.input_tokens, body.usage.output_tokens],
      stop: body.stop_reason,
      portolan: reply.$metadata.portolan,
    };
  },
  async InvokeModelWithResponseStream(client, modelId) {
    const reply = await client.send(
      new InvokeModelWithResponseStreamCommand({ modelId, contentType: "application/json", body: anthropicBody() }),
    );
    const result = { text: "", usage: [], portolan: reply.$metadata.portolan };
    for await (const event of reply.body) {
      const piece = JSON.parse(new TextDecoder().decode(event.chunk.bytes));
      if (piece.type === "message_start") result.usage[0] = piece.message.usage.input_tokens;
      if (piece.type === "content_block_delta") result.text += piece.delta.text;
      if (piece.type === "message_delta") {
        result.usage[1] = piece.usage.output_tokens;
        result.stop = piece.delta.stop_reason;
      }
    }
    return result;
  },
};
const eventNames = Object.keys(operations);

const handlers = {
  "the default handler (h2c)": () => portolan.runtime(),
  NodeHttpHandler: () => portolan.runtimeOverHttp1(),
};

async function callsSeen(region) {
  return (await portolan.counts()).get(region).calls;
}

describe("the answer", () => {
  test("is the same through every operation, profile and protocol, and as long as was asked", async () => {
    const answers = [];
    for (const client of Object.values(handlers).map((make) => make()))
      for (const operation of Object.values(operations))
        for (const profile of [usProfile, globalProfile]) answers.push(await operation(client, profile));
    for (const answer of answers) {
      assert.equal(answer.text, answers[0].text);
      assert.deepEqual(answer.usage, answers[0].usage);
      assert.equal(answer.stop, "end_turn");
    }
    assert.equal(answers[0].usage[1], 24);
    assert.ok(answers[0].text.length > 24);
  });

  test("is the one that the Region gives when it is asked itself", async () => {
    const through = await operations.ConverseStream(portolan.runtime(), globalProfile);
    const straight = await portolan.straightTo(through.portolan.inferenceRegion);
    const itself = await operations.Converse(straight, model);
    assert.equal(through.text, itself.text);
    assert.deepEqual(through.usage, itself.usage);
    assert.equal(through.stop, itself.stop);
  });

  test("stops at maxTokens and says so", async () => {
    const request = ask(usProfile);
    request.inferenceConfig.maxTokens = 5;
    const reply = await portolan.runtime().send(new ConverseCommand(request));
    assert.equal(reply.stopReason, "max_tokens");
    assert.equal(reply.usage.outputTokens, 5);
  });
});

for (const [handler, makeClient] of Object.entries(handlers)) {
  describe(`with ${handler}`, () => {
    for (const eventName of eventNames) {
      for (const profile of [usProfile, globalProfile]) {
        test(`${eventName} through ${profile.split(".")[0]}.: header, record and the Region's count agree`, async () => {
          const countsBefore = await portolan.counts();
          const reply = await operations[eventName](makeClient(), profile);
          const { inferenceRegion, sourceRegion, callId, attempts } = reply.portolan;
          assert.equal(sourceRegion, portolan.sourceRegion);
          assert.equal(attempts, 1);
          if (profile === usProfile) assert.ok(usDestinations.includes(inferenceRegion), inferenceRegion);

          const record = await portolan.record(callId);
          assert.equal(record.eventType, "AwsApiCall");
          assert.equal(record.eventName, eventName);
          assert.equal(record.awsRegion, sourceRegion);
          assert.equal(record.additionalEventData.inferenceRegion, inferenceRegion);
          assert.equal(record.requestID, callId);
          assert.equal(record.userIdentity.accessKeyId, portolan.credentials.accessKeyId);
          assert.equal(record.requestParameters.modelId, profile);
          assert.equal(record.errorCode, undefined);
          assert.ok(!JSON.stringify(record).includes("oldest portolan charts"), "a prompt is in the record");

          for (const [region, count] of await portolan.counts()) {
            const seen = count.calls - countsBefore.get(region).calls;
            assert.equal(seen, region === inferenceRegion ? 1 : 0, `${region} saw ${seen} calls`);
          }
        });
      }
    }

    test("an inference profile's ARN serves as a model id", async () => {
      const client = makeClient();
      const byId = await operations.Converse(client, usProfile);
      const { accountId } = (await portolan.record(byId.portolan.callId)).userIdentity;
      const arn = `arn:aws:bedrock:${portolan.sourceRegion}:${accountId}:inference-profile/${usProfile}`;
      const byArn = await operations.Converse(client, arn);
      assert.equal(byArn.text, byId.text);
      assert.equal((await portolan.record(byArn.portolan.callId)).requestParameters.modelId, arn);
    });
  });
}

test("a source Region that the caller signs for is the record's awsRegion", async () => {
  const reply = await operations.Converse(portolan.runtime({ region: "us-west-2" }), usProfile);
  assert.equal(reply.portolan.sourceRegion, "us-west-2");
  const record = await portolan.record(reply.portolan.callId);
  assert.equal(record.awsRegion, "us-west-2");
});

test("40 calls at once on a connection each are all answered", async () => {
  const client = portolan.runtime();
  const region = (await operations.Converse(client, usProfile)).portolan.inferenceRegion;
  const before = await callsSeen(region);
  const replies = await Promise.all(Array.from({ length: 40 }, () => operations.ConverseStream(client, usProfile)));
  assert.equal(new Set(replies.map((reply) => reply.text)).size, 1);
  assert.equal(new Set(replies.map((reply) => reply.portolan.callId)).size, 40);
  const servedThere = replies.filter((reply) => reply.portolan.inferenceRegion === region).length;
  assert.equal((await callsSeen(region)) - before, servedThere);
});

test("a body larger than one flow-control window arrives whole", async () => {
  const request = ask(usProfile);
  request.messages[0].content[0].text = `${"All work and no play. ".repeat(9_000)} #tokens=3`;
  const reply = await portolan.runtime().send(new ConverseCommand(request));
  assert.ok(reply.usage.inputTokens > 40_000, String(reply.usage.inputTokens));
});

test("a model that is offered through profiles alone names them in its refusal", async () => {
  await assert.rejects(operations.Converse(portolan.runtime(), model), (error) => {
    assert.equal(error.name, "ValidationException");
    assert.match(error.message, /on-demand throughput isn.t supported/);
    return true;
  });
});

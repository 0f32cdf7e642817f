// SPDX-License-Identifier: Apache-2.0
// The stock OpenAI SDK: text in, text out, served from Converse upstream.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI from "openai";
import { ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { Portolan, globalProfile, routeOf, usDestinations, usProfile } from "./portolan.mjs";

let portolan;
before(async () => (portolan = await Portolan.up()));
after(() => portolan?.stop());

const question = "Which way to Genoa? #tokens=12";
const messages = [
  { role: "system", content: "Answer as a pilot." },
  { role: "user", content: question },
];

test("a chat completion says the same as Converse, with usage and a finish reason", async () => {
  const { data, response } = await portolan
    .openai()
    .chat.completions.create({ model: usProfile, messages, max_tokens: 100 })
    .withResponse();
  const converse = await portolan.runtime().send(
    new ConverseCommand({
      modelId: usProfile,
      system: [{ text: messages[0].content }],
      messages: [{ role: "user", content: [{ text: question }] }],
      inferenceConfig: { maxTokens: 100 },
    }),
  );
  assert.equal(data.object, "chat.completion");
  assert.equal(data.model, usProfile);
  assert.equal(data.choices.length, 1);
  assert.equal(data.choices[0].message.role, "assistant");
  assert.equal(data.choices[0].message.content, converse.output.message.content[0].text);
  assert.equal(data.choices[0].finish_reason, "stop");
  assert.equal(data.usage.prompt_tokens, converse.usage.inputTokens);
  assert.equal(data.usage.completion_tokens, 12);
  assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + 12);

  const route = routeOf(response.headers);
  assert.ok(usDestinations.includes(route.inferenceRegion));
  const record = await portolan.record(route.callId);
  assert.equal(record.additionalEventData.inferenceRegion, route.inferenceRegion);
});

test("a streamed completion gives the same text in pieces, and usage when asked", async () => {
  const create = { model: globalProfile, messages, max_tokens: 100 };
  const whole = await portolan.openai().chat.completions.create(create);
  const stream = await portolan.openai().chat.completions.create({ ...create, stream: true, stream_options: { include_usage: true } });
  let text = "";
  let pieces = 0;
  let finish;
  let usage;
  for await (const chunk of stream) {
    assert.equal(chunk.object, "chat.completion.chunk");
    const choice = chunk.choices[0];
    if (choice?.delta.content) {
      text += choice.delta.content;
      pieces += 1;
    }
    finish = choice?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.ok(pieces > 1, `${pieces} pieces`);
  assert.equal(finish, "stop");
  assert.equal(usage.completion_tokens, 12);
});

test("finish_reason is length when max_tokens ended the answer", async () => {
  const reply = await portolan.openai().chat.completions.create({ model: usProfile, messages, max_tokens: 4 });
  assert.equal(reply.choices[0].finish_reason, "length");
  assert.equal(reply.usage.completion_tokens, 4);
});

test("the model list holds the profiles that can be called", async () => {
  const ids = [];
  for await (const entry of portolan.openai().models.list()) ids.push(entry.id);
  assert.ok(ids.includes(usProfile) && ids.includes(globalProfile), ids.join(" "));
});

test("a wrong key is AuthenticationError with status 401, and recorded", async () => {
  const client = portolan.openai({ apiKey: "not-a-key", maxRetries: 0 });
  await assert.rejects(client.chat.completions.create({ model: usProfile, messages }), (error) => {
    assert.ok(error instanceof OpenAI.AuthenticationError, error.name);
    assert.equal(error.status, 401);
    return true;
  });
  const [record] = await portolan.trail("--limit", 1);
  assert.equal(record.additionalEventData?.inferenceRegion, undefined);
  assert.ok(record.errorCode);
  assert.ok(!JSON.stringify(record).includes("not-a-key"), "a credential is in the record");
});

test("an unknown model is NotFoundError and names the nearest profile", async () => {
  const asked = portolan.openai({ maxRetries: 0 }).chat.completions.create({ model: usProfile.replace("sonnet", "sonet"), messages });
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError || error instanceof OpenAI.BadRequestError, error.name);
    assert.match(error.message, /us\.anthropic\.claude-sonnet-4/);
    return true;
  });
});

test("what cannot be served from Converse is refused by name, not ignored", async () => {
  const asked = portolan.openai({ maxRetries: 0 }).chat.completions.create({ model: usProfile, messages, n: 2 });
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError, error.name);
    assert.match(error.message, /\bn\b/);
    return true;
  });
});

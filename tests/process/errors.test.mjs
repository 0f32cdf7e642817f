// SPDX-License-Identifier: Apache-2.0
// Refusals reach the stock SDK as its own typed exceptions, and each leaves a record.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  AccessDeniedException,
  ConverseCommand,
  ConverseStreamCommand,
  ModelStreamErrorException,
  ResourceNotFoundException,
  ThrottlingException,
  ValidationException,
} from "@aws-sdk/client-bedrock-runtime";
import { Portolan, globalProfile, usDestinations, usProfile } from "./portolan.mjs";

let portolan;
before(async () => (portolan = await Portolan.up()));
after(() => portolan?.stop());

const ask = (modelId = usProfile, text = "Hello. #tokens=5") => ({
  modelId,
  messages: [{ role: "user", content: [{ text }] }],
  inferenceConfig: { maxTokens: 50 },
});

/** Fails unless the call is refused; gives the error. */
async function refusal(call) {
  try {
    await call;
  } catch (error) {
    return error;
  }
  return assert.fail("the call was served");
}

async function assertRecorded(error, errorCode) {
  const record = await portolan.record(error.portolan.callId);
  assert.equal(record.errorCode, errorCode);
  assert.equal(record.additionalEventData?.inferenceRegion, undefined);
}

test("a wrong secret is InvalidSignatureException", async () => {
  const client = portolan.runtime({ credentials: { ...portolan.credentials, secretAccessKey: "wrong" }, maxAttempts: 1 });
  const error = await refusal(client.send(new ConverseCommand(ask())));
  assert.equal(error.name, "InvalidSignatureException");
  assert.equal(error.$metadata.httpStatusCode, 403);
  await assertRecorded(error, "InvalidSignatureException");
});

test("an unknown access key is UnrecognizedClientException", async () => {
  const client = portolan.runtime({ credentials: { accessKeyId: "AKIANOBODYEXAMPLE000", secretAccessKey: "wrong" }, maxAttempts: 1 });
  const error = await refusal(client.send(new ConverseCommand(ask())));
  assert.equal(error.name, "UnrecognizedClientException");
  await assertRecorded(error, "UnrecognizedClientException");
});

for (const minutes of [-6, 6])
  test(`a clock ${minutes} minutes off is refused, four minutes is not`, async () => {
    const off = (by) => portolan.runtime({ systemClockOffset: by * 60_000, maxAttempts: 1 });
    const error = await refusal(off(minutes).send(new ConverseCommand(ask())));
    assert.equal(error.name, "InvalidSignatureException");
    assert.match(error.message, /expired|not yet|minutes|skew/i);
    await off(Math.sign(minutes) * 4).send(new ConverseCommand(ask()));
  });

test("a body that was changed after signing is refused", async () => {
  const client = portolan.runtime({ maxAttempts: 1 });
  client.middlewareStack.add(
    (next) => (args) => {
      args.request.body = args.request.body.replace("Hello", "Jello");
      return next(args);
    },
    { step: "finalizeRequest", priority: "low", name: "tamper" },
  );
  const error = await refusal(client.send(new ConverseCommand(ask())));
  assert.equal(error.name, "InvalidSignatureException");
});

test("an unknown model is ResourceNotFoundException and names the nearest", async () => {
  const error = await refusal(portolan.runtime().send(new ConverseCommand(ask(usProfile.replace("sonnet", "sonet")))));
  assert.ok(error instanceof ResourceNotFoundException, error.name);
  assert.match(error.message, /us\.anthropic\.claude-sonnet-4/);
  await assertRecorded(error, "ResourceNotFoundException");
});

test("a profile of another geography is refused, naming the source Region", async () => {
  const error = await refusal(portolan.runtime().send(new ConverseCommand(ask(usProfile.replace("us.", "eu.")))));
  assert.ok([ValidationException, ResourceNotFoundException, AccessDeniedException].some((type) => error instanceof type), error.name);
  assert.match(error.message, new RegExp(portolan.sourceRegion));
});

test("a call without messages is ValidationException naming the field", async () => {
  const error = await refusal(portolan.runtime().send(new ConverseCommand({ modelId: usProfile, messages: [] })));
  assert.ok(error instanceof ValidationException, error.name);
  assert.match(error.message, /messages/);
});

test("the second tenant is denied a profile that it is not given: AccessDeniedException, recorded, nothing sent", async () => {
  const second = portolan.ready.second_tenant;
  const credentials = { accessKeyId: second.access_key_id, secretAccessKey: second.secret_access_key };
  const client = portolan.runtime({ credentials });
  const served = await client.send(new ConverseCommand(ask(usProfile)));
  assert.ok(usDestinations.includes(served.$metadata.portolan.inferenceRegion));

  const before = await portolan.counts();
  const error = await refusal(client.send(new ConverseCommand(ask(globalProfile))));
  assert.ok(error instanceof AccessDeniedException, error.name);
  assert.match(error.message, /^User: arn:aws:iam::\d{12}:user\/\S+ is not authorized to perform: bedrock:InvokeModel on resource: /);
  await assertRecorded(error, "AccessDenied");
  for (const [region, count] of await portolan.counts()) assert.equal(count.calls, before.get(region).calls, region);
});

test("when every permitted Region throttles, the SDK sees ThrottlingException", async (t) => {
  t.after(() => portolan.clear());
  for (const region of usDestinations) await portolan.fault(region, "throttle");
  const error = await refusal(portolan.runtime({ maxAttempts: 1 }).send(new ConverseCommand(ask())));
  assert.ok(error instanceof ThrottlingException, error.name);
  assert.equal(error.portolan.attempts, usDestinations.length);
});

test("a stream that is cut after its first token throws, never looks complete", async (t) => {
  t.after(() => portolan.clear());
  for (const region of usDestinations) await portolan.fault(region, "cut", 3);
  for (const client of [portolan.runtime({ maxAttempts: 1 }), portolan.runtimeOverHttp1({ maxAttempts: 1 })]) {
    const reply = await client.send(new ConverseStreamCommand(ask(usProfile, "A long tale. #tokens=40")));
    const seen = [];
    const error = await refusal(
      (async () => {
        for await (const event of reply.stream) seen.push(Object.keys(event)[0]);
      })(),
    );
    assert.ok(error instanceof ModelStreamErrorException, error.name);
    assert.ok(seen.includes("contentBlockDelta"));
    assert.ok(!seen.includes("messageStop"));
    const record = await portolan.record(reply.$metadata.portolan.callId);
    assert.equal(record.errorCode, "ModelStreamErrorException");
  }
});

// SPDX-License-Identifier: Apache-2.0
// A process of its own with stock SDK clients over https, since Node reads NODE_EXTRA_CA_CERTS only when it starts.
//
//   node tls_client.mjs '{"endpoint", "region", "credentials", "modelId", "seconds"}'
//
// Calls Converse and ConverseStream with the default handler (HTTP/2 by ALPN) and with NodeHttpHandler (HTTP/1.1), once,
// or again and again with new connections for `seconds`. Prints one JSON line: { calls, failures, replies }.
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const { endpoint, region, credentials, modelId, seconds = 0 } = JSON.parse(process.argv[2]);
const question = { modelId, messages: [{ role: "user", content: [{ text: "#tokens=12" }] }] };

/** The text of one answer and its call's id. */
async function ask(client, stream) {
  const reply = await client.send(stream ? new ConverseStreamCommand(question) : new ConverseCommand(question));
  const callId = reply.$metadata.requestId;
  if (!stream) return { callId, text: reply.output.message.content[0].text };
  let text = "";
  let stopped = false;
  for await (const event of reply.stream) {
    text += event.contentBlockDelta?.delta.text ?? "";
    stopped ||= event.messageStop !== undefined;
  }
  if (!stopped) throw new Error("the stream ended before it was complete");
  return { callId, text };
}

const counts = { calls: 0, failures: [], replies: {} };
async function callWith(name, options) {
  for (const begun = Date.now(); ; ) {
    const client = new BedrockRuntimeClient({ endpoint, region, credentials, maxAttempts: 1, ...options() });
    for (const stream of [false, true, false, true]) {
      ++counts.calls;
      try {
        counts.replies[`${name} ${stream ? "stream" : "whole"}`] = await ask(client, stream);
      } catch (error) {
        counts.failures.push(`${name}: ${error.name}: ${error.message}`);
      }
    }
    client.destroy();
    if (Date.now() - begun >= seconds * 1000) return;
  }
}

await Promise.all([
  callWith("default", () => ({})),
  callWith("http1", () => ({ requestHandler: new NodeHttpHandler() })),
]);
console.log(JSON.stringify(counts));

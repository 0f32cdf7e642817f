// SPDX-License-Identifier: Apache-2.0
// A light caller for tests that need hundreds of calls at once: HTTP/1.1, bearer key, one connection for each call. The
// stock SDK costs milliseconds of this process's CPU for each call, which would drown what is measured.
import http from "node:http";
import { routeOf } from "./portolan.mjs";

/** The messages in `buffer` that are whole, and the bytes left over. */
function takeMessages(buffer) {
  const messages = [];
  let at = 0;
  while (buffer.length - at >= 12) {
    const length = buffer.readUInt32BE(at);
    if (buffer.length - at < length) break;
    const headersEnd = at + 12 + buffer.readUInt32BE(at + 4);
    const headers = {};
    for (let position = at + 12; position < headersEnd; ) {
      const nameLength = buffer[position];
      const name = buffer.toString("utf8", position + 1, position + 1 + nameLength);
      const valueAt = position + 1 + nameLength + 3; // type 7, string, is all that Bedrock sends
      const valueLength = buffer.readUInt16BE(valueAt - 2);
      headers[name] = buffer.toString("utf8", valueAt, valueAt + valueLength);
      position = valueAt + valueLength;
    }
    messages.push({ headers, payload: buffer.subarray(headersEnd, at + length - 4) });
    at += length;
  }
  return { messages, rest: buffer.subarray(at) };
}

/**
 * One Converse or ConverseStream call. Never throws; gives
 *   { status, ...routeOf, complete, error, tokens, firstByteMs, durationMs }
 * `complete`: the caller has seen the whole answer, by HTTP's framing and by the dialect. `error`: what went wrong, as the
 * exception's type, the HTTP status or the socket's error code. `firstByteMs`: to the first byte of the answer's body.
 */
export function converse(portolan, { modelId, text, stream = true, maxTokens = 4000, signal, agent }) {
  const begun = performance.now();
  const result = { status: 0, complete: false, error: null, tokens: 0, firstByteMs: null, durationMs: null, begun };
  const body = JSON.stringify({
    messages: [{ role: "user", content: [{ text }] }],
    inferenceConfig: { maxTokens },
  });
  return new Promise((resolve) => {
    const end = (error) => {
      if (result.durationMs !== null) return; // "close" follows "end"
      result.error ??= error ?? null;
      result.durationMs = performance.now() - begun;
      resolve(result);
    };
    const request = http.request(`${portolan.gateway}/model/${encodeURIComponent(modelId)}/${stream ? "converse-stream" : "converse"}`, {
      method: "POST",
      agent,
      signal,
      headers: { authorization: `Bearer ${portolan.apiKey}`, "content-type": "application/json", "content-length": Buffer.byteLength(body) },
    });
    request.on("error", (error) => end(error.code ?? error.name));
    request.on("response", (response) => {
      result.status = response.statusCode;
      Object.assign(result, routeOf(response.headers));
      let rest = Buffer.alloc(0);
      let sawEnd = false;
      response.on("data", (piece) => {
        result.firstByteMs ??= performance.now() - begun;
        rest = rest.length ? Buffer.concat([rest, piece]) : piece;
        if (!stream || result.status !== 200) return;
        const taken = takeMessages(rest);
        rest = taken.rest;
        for (const { headers } of taken.messages) {
          if (headers[":exception-type"]) result.error = headers[":exception-type"];
          if (headers[":event-type"] === "contentBlockDelta") result.tokens += 1;
          if (headers[":event-type"] === "metadata") sawEnd = true;
        }
      });
      response.on("error", (error) => end(error.code ?? error.name));
      response.on("end", () => {
        if (result.status !== 200) return end(response.headers["x-amzn-errortype"] ?? `status ${result.status}`);
        if (stream ? sawEnd && !result.error && rest.length === 0 : response.complete) result.complete = true;
        end(result.complete ? null : "the stream ended too soon");
      });
      response.on("close", () => end("closed"));
    });
    request.end(body);
  });
}

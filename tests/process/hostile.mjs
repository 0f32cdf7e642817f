// SPDX-License-Identifier: Apache-2.0
// Requests that nobody means well: a seeded generator, and the inputs that the fuzzers found.
//
// Each kind is { name, allow, make(random) }: `make` gives the bytes of one whole connection, `allow` says which
// answers are right. The usual answer is a 4xx (505 and 501 where the RFC names them) or a closed connection; a kind
// that may turn out harmless, such as a mutated request, may be answered with anything but a failure of the server's.
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { usProfile, repository } from "./portolan.mjs";

const crlf = "\r\n";
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export const refused = (status) => (status >= 400 && status < 500) || status === 501 || status === 505;
export const harmless = (status) => status < 500 || refused(status);

// ---------------------------------------------------------------------------------------------- HTTP/1.1

const request = ({ line = `POST /model/${usProfile}/converse HTTP/1.1`, host = "Host: localhost", fields = [], body = "{}", length = true }) =>
  [line, host, ...fields, ...(length ? [`Content-Length: ${Buffer.byteLength(body)}`] : []), "", body].filter((part) => part !== null).join(crlf);

const smuggled = `GET /inference-profiles HTTP/1.1${crlf}Host: localhost${crlf}${crlf}`;
const word = (random, bytes) => Array.from({ length: bytes }, () => "abcdefghijklmnopqrstuvwxyz0123456789-"[random.below(37)]).join("");
const noise = (random, bytes) => Buffer.from(Array.from({ length: bytes }, () => random.below(256)));

/** Heads and framings that two parsers might read differently, and other things no client sends. */
const http1 = {
  "two lengths that differ": () => request({ fields: ["Content-Length: 2", "Content-Length: 40"], length: false }) + smuggled,
  "two lengths that agree": () => request({ fields: ["Content-Length: 2", "Content-Length: 2"], length: false }) + smuggled,
  "a list of lengths": () => request({ fields: ["Content-Length: 2, 2"], length: false }) + smuggled,
  "length and chunked": () => request({ fields: ["Content-Length: 5", "Transfer-Encoding: chunked"], length: false, body: `0${crlf}${crlf}` }) + smuggled,
  "chunked and length": () => request({ fields: ["Transfer-Encoding: chunked", "Content-Length: 5"], length: false, body: `0${crlf}${crlf}` }) + smuggled,
  "a length with a sign": (random) => request({ fields: [`Content-Length: ${random.pick(["+2", "-2", "0x2", "2;", "2.0", "1e1", "", " ", "18446744073709551618"])}`], length: false }) + smuggled,
  "a disguised encoding": (random) =>
    request({
      fields: [random.pick(["Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity, chunked", "Transfer-Encoding: gzip", "Transfer-Encoding:\x0bchunked", "Transfer-Encoding: \"chunked\"", " Transfer-Encoding: chunked", "X: y\nTransfer-Encoding: chunked", "Transfer-Encoding\t: chunked"])],
      body: `0${crlf}${crlf}`,
    }) + smuggled,
  "chunked in HTTP/1.0": () => request({ line: "POST / HTTP/1.0", fields: ["Transfer-Encoding: chunked"], length: false, body: `0${crlf}${crlf}` }) + smuggled,
  "a broken chunk size": (random) =>
    request({ fields: ["Transfer-Encoding: chunked"], length: false, body: `${random.pick(["zz", "-1", "+2", "0x2", " 2", "2 ", "fffffffffffffffff", "", "2;\x00", "2\n"])}${crlf}{}${crlf}0${crlf}${crlf}` }),
  "a chunk without its end": () => request({ fields: ["Transfer-Encoding: chunked"], length: false, body: `2${crlf}{}XX0${crlf}${crlf}` }),
  "an endless chunk extension": (random) => request({ fields: ["Transfer-Encoding: chunked"], length: false, body: `2;${word(random, 70_000)}${crlf}{}${crlf}0${crlf}${crlf}` }),
  "endless trailers": (random) => request({ fields: ["Transfer-Encoding: chunked"], length: false, body: `0${crlf}${`T: ${word(random, 60)}${crlf}`.repeat(2_000)}${crlf}` }),
  "a bare LF": () => request({ fields: ["A: b\nC: d"] }),
  "a bare CR": () => request({ fields: ["A: b\rC: d"] }),
  "only LF": () => request({}).replaceAll(crlf, "\n"),
  "a folded line": (random) => request({ fields: [`A: b${crlf}${random.pick([" ", "\t"])}c`] }),
  "space before the colon": () => request({ fields: ["A : b"] }),
  "a field without a colon": (random) => request({ fields: [word(random, 12)] }),
  "an empty field name": () => request({ fields: [": b"] }),
  "a control character in a field": (random) => request({ fields: [`A: b${String.fromCharCode(random.pick([0, 1, 8, 11, 12, 27, 127]))}c`] }),
  "a control character in the target": (random) => request({ line: `POST /a${String.fromCharCode(random.pick([0, 1, 9, 127]))}b HTTP/1.1` }),
  "two hosts": () => request({ fields: ["Host: elsewhere"] }),
  "no host": () => request({ host: null }),
  "a host that is none": (random) => request({ host: `Host: ${random.pick(["a b", "a/b", "user@a", "a,b", "a\tb", "<a>"])}` }),
  "absolute-form with another host": (random) => request({ line: `POST ${random.pick(["http", "https"])}://elsewhere/model/x/converse HTTP/1.1` }),
  "authority-form": () => request({ line: "CONNECT localhost:443 HTTP/1.1" }),
  "a strange version": (random) => request({ line: `POST / ${random.pick(["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3", "http/1.1", "HTTP/1.1 ", "HTTP/1.", "HTTP/11", "ICY/1.1", ""])}` }),
  "a strange method": (random) => request({ line: `${random.pick(["GE T", "", "TRACE", "PUT", "DELETE", "PATCH", "(", "get", word(random, 5_000)])} /model/x/converse HTTP/1.1` }),
  "a strange path": (random) =>
    request({ line: `POST ${random.pick(["/model/../../etc/passwd/converse", "/model/%00/converse", "/model/%2/converse", "//", "/model//converse", "/model/x/converse/..;/", "/model/x%0d%0aX:%20y/converse", "*", "?", `/model/${word(random, 3_000)}/converse`, "/model/\u00e9/converse", "/admin", "/metrics", "/api/sandbox/clear", "/healthz?x=%"])} HTTP/1.1` }),
  "a head too long": (random) => request({ fields: [`X: ${word(random, 33_000 + random.below(40_000))}`] }),
  "too many fields": (random) => request({ fields: Array.from({ length: 100 + random.below(2_000) }, (_, i) => `X${i}: y`) }),
  "a target too long": (random) => request({ line: `POST /${word(random, 40_000)} HTTP/1.1` }),
  "a body that is announced too long": (random) => request({ fields: [`Content-Length: ${random.pick(["26214401", "99999999999", "9223372036854775807", "18446744073709551615"])}`], length: false }),
  "an expectation nobody has": () => request({ fields: ["Expect: the-unexpected"] }),
  "an upgrade": () => request({ fields: ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"] }),
  "a connection field that is no list": () => request({ fields: ["Connection: a b\x01"] }),
  "half a head": (random) => request({}).slice(0, 1 + random.below(60)),
  "half a body": (random) => request({ fields: [`Content-Length: ${100 + random.below(10_000)}`], length: false }),
  "TLS on the plain port": (random) => Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), noise(random, 300)]),
  "bytes without sense": (random) => noise(random, 1 + random.below(600)),
  "empty lines for ever": () => crlf.repeat(30_000),
  "a credential that is none": (random) =>
    request({ fields: [`Authorization: ${random.pick(["AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=00", `AWS4-HMAC-SHA256 Credential=A/20261121/us-east-1/bedrock/aws4_request,SignedHeaders=${"a;".repeat(3_000)},Signature=${"0".repeat(64)}`, "Bearer", "Bearer ", `Bearer ${word(random, 8_000)}`, "Basic YTpi", "Negotiate x", "\u00ff"])}`] }),
  "two credentials": () => request({ fields: ["Authorization: Bearer a", "Authorization: Bearer b"] }),
};

// ---------------------------------------------------------------------------------------------- bodies

const deep = (open, close, depth) => open.repeat(depth) + close.repeat(depth);
const text = (value) => JSON.stringify({ messages: [{ role: "user", content: [{ text: value }] }] });

/** Bodies of a caller who may call: wrong JSON, wrong fields, wrong sizes. */
const bodies = {
  "nothing": () => "",
  "not JSON": (random) => random.pick(["{", "}", "nul", "[1,2", '{"a":}', "{'a':1}", "<xml/>", "\ufeff{}", '{"a":1}x', "\x00"]),
  "no messages": (random) => random.pick(["{}", "[]", "null", "1", '"x"', '{"messages":null}', '{"messages":{}}', '{"messages":[]}', '{"messages":[1]}']),
  "a deep nest": (random) => text("x").slice(0, -1) + `,"additionalModelRequestFields":${deep(random.pick(["[", '{"a":']), "", 100_000)}`,
  "a nest that is closed": () => `{"messages":${deep("[", "]", 50_000)}}`,
  "a member twice": () => '{"messages":[{"role":"user","content":[{"text":"a"}]}],"messages":[{"role":"user","content":[{"text":"b"}]}]}',
  "broken UTF-8": (random) => Buffer.concat([Buffer.from('{"messages":[{"role":"user","content":[{"text":"'), Buffer.from(random.pick([[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]])), Buffer.from('"}]}]}')]),
  "a control character in a string": () => '{"messages":[{"role":"user","content":[{"text":"a\u0001b"}]}]}',
  "a number that is none": (random) => `{"messages":[{"role":"user","content":[{"text":"a"}]}],"inferenceConfig":{"maxTokens":${random.pick(["01", "-1", "1.5", "1e400", "99999999999999999999", '"5"', "NaN", "0x10", "true", "[]"])}}}`,
  "more tokens than the model has": () => '{"messages":[{"role":"user","content":[{"text":"a"}]}],"inferenceConfig":{"maxTokens":100000000}}',
};

const bodyRequests = (apiKey) =>
  Object.fromEntries(
    Object.entries(bodies).flatMap(([name, make]) => [
      [`converse: ${name}`, (random) => withBody(`/model/${usProfile}/converse`, make(random), apiKey)],
      [`invoke: ${name}`, (random) => withBody(`/model/${usProfile}/invoke`, make(random), apiKey)],
      [`chat: ${name}`, (random) => withBody("/v1/chat/completions", make(random), apiKey)],
    ]),
  );

function withBody(target, body, apiKey) {
  const bytes = Buffer.from(body);
  return Buffer.concat([
    Buffer.from([`POST ${target} HTTP/1.1`, "Host: localhost", `Authorization: Bearer ${apiKey}`, `Content-Length: ${bytes.length}`, "", ""].join(crlf)),
    bytes,
  ]);
}

// ---------------------------------------------------------------------------------------------- HTTP/2

const type = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, push: 5, ping: 6, goaway: 7, window: 8, continuation: 9 };
const flag = { endStream: 1, endHeaders: 4, padded: 8, priority: 32 };

function frame(kind, flags, stream, payload = Buffer.alloc(0), announced = payload.length) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(announced, 0, 3);
  head[3] = kind;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const u32 = (number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number >>> 0);
  return bytes;
};
const setting = (id, value) => Buffer.concat([Buffer.from([0, id]), u32(value)]);

/** HPACK without an index and without Huffman (RFC 7541 section 6.2.2). */
function fields(pairs) {
  const string = (value) => {
    const bytes = Buffer.from(value, "latin1");
    if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    const length = [127];
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
    return Buffer.concat([Buffer.from([...length, rest]), bytes]);
  };
  return Buffer.concat(pairs.map(([name, value]) => Buffer.concat([Buffer.from([0]), string(name), string(value)])));
}

const usual = [[":method", "POST"], [":scheme", "http"], [":path", `/model/${usProfile}/converse`], [":authority", "localhost"]];
const headers = (pairs, { stream = 1, flags = flag.endHeaders | flag.endStream } = {}) => frame(type.headers, flags, stream, fields(pairs));
const opened = (...frames) => Buffer.concat([preface, frame(type.settings, 0, 0), ...frames]);
const without = (name) => usual.filter(([key]) => key !== name);
const replaced = (name, value) => usual.map(([key, old]) => [key, key === name ? value : old]);

const http2 = {
  "half a preface": (random) => preface.subarray(0, 1 + random.below(23)),
  "a preface and nothing": () => preface,
  "no settings first": () => Buffer.concat([preface, headers(usual)]),
  "a frame beyond the limit": (random) => opened(frame(random.below(10), 0, 1, noise(random, 20_000))),
  "a frame that announces more": (random) => opened(frame(type.headers, 4, 1, noise(random, 50), 16_000)),
  "data on stream 0": () => opened(frame(type.data, 1, 0, Buffer.from("{}"))),
  "data on an idle stream": () => opened(frame(type.data, 1, 5, Buffer.from("{}"))),
  "headers on stream 0": () => opened(headers(usual, { stream: 0 })),
  "headers on an even stream": () => opened(headers(usual, { stream: 2 })),
  "streams that count down": () => opened(headers(usual, { stream: 9 }), headers(usual, { stream: 3 })),
  "settings of a wrong size": (random) => opened(frame(type.settings, 0, 0, noise(random, 1 + random.below(5)))),
  "settings on a stream": () => opened(frame(type.settings, 0, 1, setting(3, 100))),
  "an acknowledgement with a body": () => opened(frame(type.settings, 1, 0, setting(3, 100))),
  "a window beyond 2^31": () => opened(frame(type.settings, 0, 0, setting(4, 0xffffffff))),
  "a frame size out of range": (random) => opened(frame(type.settings, 0, 0, setting(5, random.pick([0, 100, 16_383, 16_777_216])))),
  "push enabled": () => opened(frame(type.settings, 0, 0, setting(2, 7))),
  "a window update of zero": (random) => opened(frame(type.window, 0, random.pick([0, 1]), u32(0))),
  "a window that overflows": () => opened(frame(type.window, 0, 0, u32(0x7fffffff)), frame(type.window, 0, 0, u32(0x7fffffff))),
  "a ping of a wrong size": () => opened(frame(type.ping, 0, 0, Buffer.alloc(7))),
  "a reset of an idle stream": () => opened(frame(type.reset, 0, 7, u32(8))),
  "a stream that depends on itself": () => opened(frame(type.priority, 0, 3, Buffer.concat([u32(3), Buffer.from([1])])), headers(usual)),
  "a continuation of nothing": () => opened(frame(type.continuation, 4, 1, fields(usual))),
  "headers cut by another frame": () => opened(frame(type.headers, 0, 1, fields(usual).subarray(0, 20)), frame(type.ping, 0, 0, Buffer.alloc(8))),
  "continuations for ever": (random) => opened(frame(type.headers, 0, 1, fields(usual)), ...Array.from({ length: 3_000 }, () => frame(type.continuation, 0, 1, fields([["x", word(random, 20)]])))),
  "an index that does not exist": () => opened(frame(type.headers, 5, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]))),
  "a table beyond the limit": () => opened(frame(type.headers, 5, 1, Buffer.from([0x3f, 0xff, 0xff, 0xff, 0x07]))),
  "a string longer than its frame": () => opened(frame(type.headers, 5, 1, Buffer.from([0, 0x7f, 0xff, 0xff, 0x03, 0x61]))),
  "broken Huffman": () => opened(frame(type.headers, 5, 1, Buffer.from([0, 0x84, 0xff, 0xff, 0xff, 0xff, 1, 0x61]))),
  "an HPACK bomb": () => {
    const kept = Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0x81, 0x1e]), Buffer.alloc(4_000, 0x79)]);
    return opened(frame(type.headers, 4, 1, Buffer.concat([fields(usual), kept.subarray(0, 4_006), Buffer.alloc(8_000, 0xbe)])), frame(type.data, 1, 1));
  },
  "padding beyond the frame": () => opened(frame(type.headers, 13, 1, Buffer.concat([Buffer.from([255]), fields(usual)]).subarray(0, 60))),
  "no method": () => opened(headers(without(":method"))),
  "no path": () => opened(headers(without(":path"))),
  "no scheme": () => opened(headers(without(":scheme"))),
  "an empty path": () => opened(headers(replaced(":path", ""))),
  "a path that is none": (random) => opened(headers(replaced(":path", random.pick(["x", "http://localhost/", "*", "/a b", "/\x00", "/\r\n"])))),
  "a pseudo field twice": (random) => opened(headers([...usual, random.pick(usual)])),
  "an unknown pseudo field": () => opened(headers([...usual, [":protocol", "websocket"]])),
  "a pseudo field behind the others": () => opened(headers([["a", "b"], ...usual])),
  "an upper-case name": () => opened(headers([...usual, ["Upper", "case"]])),
  "a field of the connection": (random) => opened(headers([...usual, random.pick([["connection", "close"], ["transfer-encoding", "chunked"], ["keep-alive", "1"], ["upgrade", "h2c"], ["te", "gzip"]])])),
  "a line break in a field": (random) => opened(headers([...usual, ["a", random.pick(["b\r\nc: d", "b\nc", "b\rc", "b\x00c"])]])),
  "a host that says otherwise": () => opened(headers([...usual, ["host", "elsewhere"]])),
  "a length that is wrong": (random) => opened(headers([...usual, ["content-length", random.pick(["1", "99", "-1", "x"])]], { flags: flag.endHeaders }), frame(type.data, 1, 1, Buffer.from("{}"))),
  "a header list too long": (random) => opened(...headersOf([...usual, ...Array.from({ length: 60 }, (_, i) => [`x${i}`, word(random, 1_500)])])),
  "rapid resets": () => opened(...Array.from({ length: 400 }, (_, i) => Buffer.concat([headers(usual, { stream: 2 * i + 1, flags: flag.endHeaders }), frame(type.reset, 0, 2 * i + 1, u32(8))]))),
  "more streams than allowed": () => opened(...Array.from({ length: 400 }, (_, i) => headers(usual, { stream: 2 * i + 1, flags: flag.endHeaders }))),
  "empty data for ever": () => opened(headers(usual, { flags: flag.endHeaders }), ...Array.from({ length: 5_000 }, () => frame(type.data, 0, 1))),
  "settings for ever": () => opened(...Array.from({ length: 5_000 }, () => frame(type.settings, 0, 0, setting(3, 100)))),
  "pings for ever": () => opened(...Array.from({ length: 5_000 }, () => frame(type.ping, 0, 0, Buffer.alloc(8)))),
  "a promise by a client": () => opened(frame(type.push, 4, 1, Buffer.concat([u32(2), fields(usual)]))),
  "a second preface": () => opened(preface),
  "frames without sense": (random) => opened(...Array.from({ length: 1 + random.below(20) }, () => frame(random.below(14), random.below(256), random.below(8), noise(random, random.below(80))))),
};

/** One header block over as many frames as it needs. */
function headersOf(pairs) {
  const block = fields(pairs);
  const pieces = [];
  for (let at = 0; at < block.length; at += 16_000) pieces.push(block.subarray(at, at + 16_000));
  return pieces.map((piece, i) => frame(i === 0 ? type.headers : type.continuation, (i === 0 ? flag.endStream : 0) | (i === pieces.length - 1 ? flag.endHeaders : 0), 1, piece));
}

// ---------------------------------------------------------------------------------------------- mutations, corpora

/** A few bytes of something well-formed changed, dropped, doubled or cut off. */
function mutated(random, bytes) {
  const result = Buffer.from(bytes);
  for (let changes = 1 + random.below(6); changes > 0; --changes) result[random.below(result.length)] = random.pick([0, 9, 10, 13, 32, 34, 44, 58, 59, 123, 127, 255, random.below(256)]);
  const at = random.below(result.length);
  const size = random.below(40);
  return random.pick([
    () => result,
    () => result.subarray(0, at),
    () => Buffer.concat([result.subarray(0, at), result.subarray(at + size)]),
    () => Buffer.concat([result.subarray(0, at + size), result.subarray(at)]),
  ])();
}

function corpus(target) {
  const folder = path.join(repository, "tests/fuzz/corpus", target);
  return readdirSync(folder).sort().map((name) => ({ name: `${target}/${name}`, bytes: readFileSync(path.join(folder, name)) }));
}

/** What cannot stand in a line is left out, so that the rest of it is met. */
const inLine = (bytes) => bytes.toString("latin1").replace(/[\r\n\0]/g, "").slice(0, 20_000);

export function hostileKinds(apiKey) {
  const kinds = [];
  const add = (group, allow, speaks, makers) => {
    for (const [name, make] of Object.entries(makers)) kinds.push({ name: `${group}: ${name}`, allow, speaks, make: (random) => Buffer.from(make(random), "latin1") });
  };
  add("HTTP/1.1", refused, "http1", http1);
  add("body", refused, "http1", bodyRequests(apiKey));
  add("HTTP/2", refused, "http2", http2);
  const samples = Object.values(http1).filter((make) => make.length === 0).map((make) => Buffer.from(make(), "latin1"));
  add("mutated", harmless, "http1", { "a request": (random) => mutated(random, random.pick([Buffer.from(request({})), ...samples])) });
  add("mutated", harmless, "http2", { "frames": (random) => opened(mutated(random, Buffer.concat([headers(usual, { flags: flag.endHeaders }), frame(type.data, 1, 1, Buffer.from("{}"))]))) });
  return kinds;
}

/** The inputs kept by the fuzz targets, each in the place where the gateway reads such bytes; what a target itself puts before or behind them is left out. */
export function corpusKinds(apiKey) {
  const from = (target, make) => corpus(target).map(({ name, bytes }) => ({ name, allow: harmless, speaks: "http1", make: () => Buffer.from(make(bytes), "latin1") }));
  return [
    ...from("http_request_fuzz", (bytes) => bytes),
    ...from("target_fuzz", (bytes) => request({ line: bytes.includes(" ") ? `${inLine(bytes)} HTTP/1.1` : `POST /model/${inLine(bytes)}/converse HTTP/1.1` })),
    ...from("sigv4_fuzz", (bytes) => request({ fields: [`Authorization: ${inLine(bytes.subarray(0, bytes.indexOf(10)))}`] })),
    ...from("understand_fuzz", (bytes) => withBody(`/model/${usProfile}/converse`, bytes.subarray(1), apiKey)),
    ...from("openai_fuzz", (bytes) => withBody("/v1/chat/completions", bytes, apiKey)),
  ];
}

// SPDX-License-Identifier: Apache-2.0
// Starts the real binary for a test and speaks to it: stock SDK clients, the command line, the trail, the sandbox.
//
// The binary is PORTOLAN_BIN, else build/release/portolan. Each test file starts its own on free ports with a data
// directory of its own; nothing is shared between files.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { BedrockClient } from "@aws-sdk/client-bedrock";
import { BedrockRuntimeClient } from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import OpenAI from "openai";

export const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const binary = process.env.PORTOLAN_BIN ?? path.join(repository, "build/release/portolan");

export const model = "anthropic.claude-sonnet-4-5-20250929-v1:0";
export const usProfile = `us.${model}`;
export const globalProfile = `global.${model}`;
export const usDestinations = ["us-east-1", "us-east-2", "us-west-2"];

/** What an attempt of the demonstration may stay silent, in world time. */
export const firstByteLimitMs = 2_000;

const startLimitMs = 60_000;
export const stopLimitMs = 5_000;

/** Runs `portolan ARGS` to its end. Gives { code, stdout, stderr }; never throws for an exit code. */
export function run(args, { env = {}, cwd, input, limitMs = 60_000 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, { cwd, env: { ...cleanEnvironment(), ...env }, stdio: ["pipe", "pipe", "pipe"] });
    const output = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text) => (output.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (output.stderr += text));
    const limit = setTimeout(() => child.kill("SIGKILL"), limitMs);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(limit);
      if (signal === "SIGKILL") reject(new Error(`portolan ${args.join(" ")} did not end within ${limitMs} ms`));
      else resolve({ code, signal, ...output });
    });
    child.stdin.end(input);
  });
}

/** What a developer's shell exports for a gateway of his must not steer a test. */
function cleanEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(PORTOLAN_|AWS_|OPENAI_)/.test(name)));
}

/** A process of ours with its log: `serve` or `up`. */
export class Running {
  constructor(args, { env = {}, cwd } = {}) {
    this.args = args;
    this.log = "";
    this.stdout = "";
    this.child = spawn(binary, args, { cwd, env: { ...cleanEnvironment(), ...env }, stdio: ["ignore", "pipe", "pipe"] });
    this.child.stdout.setEncoding("utf8").on("data", (text) => (this.stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text) => (this.log += text));
    this.ended = new Promise((resolve) => {
      this.child.on("error", (error) => resolve({ code: null, signal: null, error }));
      this.child.on("close", (code, signal) => resolve({ code, signal }));
    });
  }

  /** Resolves with `probe()`'s first truthy value. Fails when the process ends first or the limit passes. */
  async until(probe, what, limitMs = startLimitMs) {
    let ending = null;
    this.ended.then((how) => (ending = how));
    for (const begun = performance.now(); performance.now() - begun < limitMs; ) {
      const value = await probe();
      if (value) return value;
      if (ending) throw new Error(`portolan ${this.args.join(" ")} ended with ${describe(ending)} before ${what}\n${this.log}`);
      await sleep(20);
    }
    throw new Error(`portolan ${this.args.join(" ")}: not ${what} within ${limitMs} ms\n${this.log}`);
  }

  signal(name) {
    this.child.kill(name);
  }

  /** SIGKILL: what a crash leaves. */
  async kill() {
    this.signal("SIGKILL");
    return this.ended;
  }

  /** SIGTERM, and how it ended: { code, signal, tookMs }. After `limitMs` it is killed and that is told as a signal. */
  async terminate(limitMs = stopLimitMs) {
    const begun = performance.now();
    this.signal("SIGTERM");
    const limit = setTimeout(() => this.signal("SIGKILL"), limitMs);
    const how = await this.ended;
    clearTimeout(limit);
    return { ...how, tookMs: performance.now() - begun };
  }
}

function describe({ code, signal, error }) {
  return error ? error.message : signal ?? `exit code ${code}`;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The demonstration: sandbox Regions, gateway and a demo configuration. */
export class Portolan {
  /** Starts `portolan up --json` and waits for its line. */
  static async up({ timeScale, dataDir, port = 0, adminPort = 0, args = [] } = {}) {
    const ownDataDir = dataDir === undefined;
    const directory = dataDir ?? (await mkdtemp(path.join(tmpdir(), "portolan-test-")));
    const command = ["up", "--json", "--port", `${port}`, "--admin-port", `${adminPort}`, "--data-dir", directory];
    if (timeScale !== undefined) command.push("--time-scale", String(timeScale));
    const running = new Running([...command, ...args]);
    try {
      const line = await running.until(() => running.stdout.includes("\n") && running.stdout.split("\n", 1)[0], "ready");
      return new Portolan(running, JSON.parse(line), ownDataDir);
    } catch (error) {
      await running.kill();
      if (ownDataDir) await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  constructor(running, ready, ownDataDir) {
    this.running = running;
    this.ready = ready;
    this.ownDataDir = ownDataDir;
    this.gateway = ready.gateway;
    this.admin = ready.admin;
    this.sourceRegion = ready.source_region;
    this.credentials = { accessKeyId: ready.access_key_id, secretAccessKey: ready.secret_access_key };
    this.apiKey = ready.api_key;
    this.dataDir = ready.data_dir;
    this.clients = [];
  }

  get log() {
    return this.running.log;
  }

  /** Ends it as an operator does, which has to go well. */
  async stop() {
    this.clients.forEach((client) => client.destroy());
    const { code, signal, tookMs } = await this.running.terminate();
    if (this.ownDataDir) await rm(this.dataDir, { recursive: true, force: true });
    if (code !== 0) throw new Error(`SIGTERM: ${signal ?? `exit code ${code}`} after ${Math.round(tookMs)} ms\n${this.log}`);
  }

  async kill() {
    this.clients.forEach((client) => client.destroy());
    return this.running.kill();
  }

  // ---------------------------------------------------------------------------------------------- clients

  /** The stock client as everybody makes it: HTTP/2 with prior knowledge, since the endpoint is http://. */
  runtime(options = {}) {
    return this.#keep(
      new BedrockRuntimeClient({ endpoint: this.gateway, region: this.sourceRegion, credentials: this.credentials, ...options }),
    );
  }

  /** The same over HTTP/1.1. */
  runtimeOverHttp1(options = {}) {
    return this.runtime({ requestHandler: new NodeHttpHandler(), ...options });
  }

  /** A client that asks a sandbox Region itself, past the gateway, as the gateway would. */
  async straightTo(region) {
    const configuration = await readFile(path.join(this.dataDir, "portolan.yaml"), "utf8");
    const find = (pattern) => configuration.match(pattern)?.[1] ?? assert.fail(`${pattern} is not in portolan.yaml`);
    return this.runtime({
      endpoint: find(new RegExp(`^  ${region}: \\{endpoint: "([^"]+)"`, "m")),
      region,
      credentials: {
        accessKeyId: find(/^account: .*access_key_id: ([^,]+),/m),
        secretAccessKey: find(/^account: .*secret_access_key: ([^}]+)\}/m),
      },
    });
  }

  control(options = {}) {
    return this.#keep(
      new BedrockClient({ endpoint: this.gateway, region: this.sourceRegion, credentials: this.credentials, ...options }),
    );
  }

  openai(options = {}) {
    return new OpenAI({ baseURL: `${this.gateway}/v1`, apiKey: this.apiKey, ...options });
  }

  // SDKs hide response headers: this keeps ours as output.$metadata.portolan, or on the error that is thrown.
  #keep(client) {
    client.middlewareStack.add(
      (next) => async (args) => {
        try {
          const result = await next(args);
          result.output.$metadata.portolan = routeOf(result.response.headers);
          return result;
        } catch (error) {
          if (error.$response) error.portolan = routeOf(error.$response.headers);
          throw error;
        }
      },
      { step: "deserialize", priority: "high", name: "portolanHeaders" },
    );
    this.clients.push(client);
    return client;
  }

  // ---------------------------------------------------------------------------------------------- command line

  /** `portolan ARGS` against this gateway. */
  cli(args, options = {}) {
    return run(args, { ...options, env: { PORTOLAN_ADMIN: this.admin, PORTOLAN_ADMIN_KEY: this.ready.admin_key, ...options.env } });
  }

  /** The JSON values that a command prints, one a line. Throws unless its exit code is 0. */
  async json(args) {
    const { code, stdout, stderr } = await this.cli(args);
    if (code !== 0) throw new Error(`portolan ${args.join(" ")} ended with ${code}: ${stderr}`);
    return lines(stdout);
  }

  /** Region → what that Region saw with its own eyes: { calls, connections, bytesIn }. */
  async counts() {
    const [{ regions }] = await this.json(["sandbox", "counts", "--json"]);
    const sum = (numbers) => Object.values(numbers).reduce((total, number) => total + number, 0);
    return new Map(
      Object.entries(regions).map(([region, seen]) => [
        region,
        {
          calls: sum(Object.values(seen.requests).map(sum)),
          connections: seen.connections_accepted,
          bytesIn: seen.bytes_in,
        },
      ]),
    );
  }

  async fault(region, kind, ...rest) {
    await this.json(["sandbox", "fault", region, kind, ...rest.map(String)]);
  }

  async clear(region) {
    await this.json(["sandbox", "clear", ...(region ? [region] : [])]);
  }

  /** What would happen to a call: { allowed, status, error_code, first_region, regions, verdicts }. */
  async explain(...question) {
    const { code, stdout, stderr } = await this.cli(["explain", "--json", ...question.map(String)]);
    const [answer] = lines(stdout);
    assert.ok(answer, `explain ${question.join(" ")}: ${stderr}`);
    assert.equal(code, answer.allowed ? 0 : 1);
    return answer;
  }

  /** Records, newest first. */
  trail(...filter) {
    return this.json(["trail", "lookup", "--json", ...filter.map(String)]);
  }

  /** The one record of a call. */
  async record(callId) {
    const records = await this.trail("--call-id", callId, "--limit", 0);
    if (records.length !== 1) throw new Error(`${records.length} records of call ${callId}`);
    return records[0];
  }
}

export function lines(text) {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** Where a reply says that it ran. */
export function routeOf(headers) {
  const get = (name) => (typeof headers.get === "function" ? headers.get(name) : headers[name]) ?? undefined;
  return {
    inferenceRegion: get("x-portolan-inference-region"),
    sourceRegion: get("x-portolan-source-region"),
    callId: get("x-portolan-call-id"),
    attempts: Number(get("x-portolan-attempts")),
  };
}

/** A stream of random numbers in [0, 1) that a seed rebuilds (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    below: (limit) => Math.floor(next() * limit),
    pick: (array) => array[Math.floor(next() * array.length)],
  };
}

/** The seed of this run; PORTOLAN_TEST_SEED repeats another run. */
export const seed = Number(process.env.PORTOLAN_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

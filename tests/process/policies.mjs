// SPDX-License-Identifier: Apache-2.0
// Sets of policies for tests: written as files, applied to a running gateway, changed again and again under load.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Portolan, lines, run, sleep, usProfile } from "./portolan.mjs";
import { serveBefore } from "./serving.mjs";

/** Of the demonstration. */
export const account = "111122223333";
export const alice = `arn:aws:iam::${account}:user/alice`;
export const bot = `arn:aws:iam::${account}:user/bot`;
// Called by its bare id it runs in the source Region, us-east-1, alone.
const inRegion = "amazon.nova-lite-v1:0";

export const allow = (more = {}) => ({ Effect: "Allow", Action: "bedrock:*", Resource: "*", ...more });
export const deny = (more = {}) => ({ Effect: "Deny", Action: "bedrock:*", Resource: "*", ...more });

/**
 * Writes a set into `directory`: what the account's SCP says besides FullAWSAccess, and what each principal's policy says.
 */
export async function writeSet(directory, { scp = [], identity = { [alice]: [allow()], [bot]: [allow()] } }) {
  await mkdir(directory, { recursive: true });
  const document = (statements) => JSON.stringify({ Version: "2012-10-17", Statement: statements }, null, 1);
  const files = {};
  const principals = Object.entries(identity).map(([arn, statements], i) => {
    files[`identity${i}.json`] = document(statements);
    return `  - {arn: "${arn}", policies: [identity${i}.json]}\n`;
  });
  if (scp.length > 0) files["scp.json"] = document(scp);
  files["organization.yaml"] =
    `version: 1\naccounts:\n  - {id: "${account}", name: demo, scps: [FullAWSAccess${scp.length > 0 ? ", scp.json" : ""}]}\n` + `principals:\n${principals.join("")}`;
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(directory, name), text);
  return directory;
}

/** Asks the admin port; gives the answer's JSON. */
async function ask(portolan, method, target, body) {
  const reply = await fetch(`${portolan.admin}${target}`, {
    method,
    headers: { authorization: `Bearer ${portolan.adminKey}` },
    body: body === undefined ? undefined : JSON.stringify({ by: "test", why: "soak", ...body }),
  });
  const answer = await reply.json();
  assert.equal(reply.status, 200, JSON.stringify(answer));
  assert.equal(answer.warnings, undefined, JSON.stringify(answer));
  return answer;
}

/** How many bytes Regions have received, by their own count. */
async function bytesIn(sandbox, names) {
  const { regions } = await ask(sandbox, "GET", "/api/sandbox/counts");
  return Object.entries(regions)
    .filter(([name]) => names.includes(name))
    .map(([name, seen]) => `${name} ${seen.bytes_in}`)
    .join(", ");
}

// An attempt that began before the command returned may still be on its way to the Region.
const onItsWayMs = 100;

/**
 * Policies are applied, rolled back and frozen `changes` times while calls come by two profiles. Regions that are
 * forbidden receive nothing; calls that are always allowed never fail.
 */
export async function changePoliciesUnderLoad(t, { changes, rate, windowMs }) {
  const scratch = await mkdtemp(path.join(tmpdir(), "portolan-policies-"));
  const sandbox = await Portolan.up({ timeScale: 20 });
  t.after(async () => {
    await sandbox.stop();
    await rm(scratch, { recursive: true, force: true });
  });
  const open = await writeSet(path.join(scratch, "open"), {});
  const withoutEast2 = await writeSet(path.join(scratch, "narrow"), {
    scp: [deny({ Sid: "NotEast2", Condition: { StringEquals: { "aws:RequestedRegion": "us-east-2" } } })],
  });
  const gateway = await serveBefore(sandbox, path.join(scratch, "gateway"), (text) =>
    `policies: ${open}\n${text}`.replace("  - name: demo", "  - policy_mode: subset\n    name: demo"),
  );
  t.after(() => gateway.running.terminate(10_000));
  gateway.adminKey = (await readFile(path.join(gateway.dataDir, "admin.key"), "utf8")).trim();
  sandbox.adminKey = sandbox.ready.admin_key;
  const narrowFiles = Object.fromEntries(
    await Promise.all((await readdir(withoutEast2)).map(async (name) => [name, await readFile(path.join(withoutEast2, name), "utf8")])),
  );

  const seconds = Math.ceil((changes * (windowMs + onItsWayMs + 60)) / 1_000) + 5;
  const load = (profile, share) =>
    run(
      ["load", "--json", "--quiet", "--url", gateway.gateway, "--model", profile, "--api-key", gateway.apiKey, "--rate", `${Math.round(rate * share)}`, "--for", `${seconds}s`, "--output-tokens", "5"],
      { limitMs: (seconds + 60) * 1_000 },
    );
  const changing = load(usProfile, 0.75);
  const steady = load(inRegion, 0.25);
  await sleep(500);
  let windows = 0;
  const forbidden = async (...names) => {
    await sleep(onItsWayMs);
    const before = await bytesIn(sandbox, names);
    await sleep(windowMs);
    assert.equal(await bytesIn(sandbox, names), before, `${names} received something after it was forbidden`);
    windows += 1;
  };
  for (let i = 0; i < changes; i += 1) {
    switch (i % 4) {
      case 0:
        await ask(gateway, "POST", "/api/policy/apply", { files: narrowFiles });
        await forbidden("us-east-2");
        break;
      case 1:
        await ask(gateway, "POST", "/api/policy/rollback", {});
        await sleep(windowMs);
        break;
      case 2:
        await ask(gateway, "POST", "/api/policy/freeze", { scope: "profile", profile: usProfile });
        await forbidden("us-east-2", "us-west-2"); // in us-east-1 the other calls go on
        break;
      default:
        await ask(gateway, "POST", "/api/policy/unfreeze", { scope: "profile", profile: usProfile });
        await sleep(windowMs);
    }
  }
  const [always] = lines((await steady).stdout);
  const [frozen] = lines((await changing).stdout);
  assert.equal(always.complete, always.sent, "calls that every version allows fail");
  assert.ok(always.sent > rate * 0.25 * seconds * 0.8, `only ${always.sent} calls were sent`);
  assert.equal((await gateway.running.terminate(10_000)).code, 0, gateway.running.log);

  // What failed was denied, and by the freeze alone: the versions differ in a Region, which is pruned.
  const found = await run(["trail", "lookup", "--data-dir", gateway.dataDir, "--limit", "0", "--json"], { limitMs: 120_000 });
  const records = lines(found.stdout);
  const calls = records.filter(({ eventType }) => eventType === "AwsApiCall");
  const failed = calls.filter(({ errorCode }) => errorCode !== undefined);
  assert.deepEqual([...new Set(failed.map(({ portolan }) => portolan.deniedBy))], ["freeze"]);
  assert.ok(failed.every(({ portolan }) => portolan.profile === usProfile));
  assert.equal(failed.length, frozen.sent - frozen.complete);
  assert.equal(calls.length, always.sent + frozen.sent, "one record for each call");
  const acts = records.filter(({ eventType }) => eventType === "AwsServiceEvent");
  assert.equal(acts.length, changes + 1, "one record for each act, and one for the set that was loaded at the start");
  t.diagnostic(
    `${changes} changes, ${windows} windows without a byte to a forbidden Region; ${always.sent} calls always allowed, none failed; ` +
      `${frozen.sent} others, ${failed.length} denied by a freeze; p99 ${always.total.p99_ms ?? always.total.p99} ms`,
  );
}

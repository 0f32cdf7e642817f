// SPDX-License-Identifier: Apache-2.0
// portolan policy generate and portolan policy lint: what they write and print, and their exit codes.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { globalProfile, repository, run, usProfile } from "./portolan.mjs";

const account = "111122223333";
const sets = (...words) => path.join(repository, "testdata/policy", ...words);
const generate = (...words) => run(["policy", "generate", ...words]);
const lint = (...words) => run(["policy", "lint", ...words]);

let scratch;
before(async () => (scratch = await mkdtemp(path.join(tmpdir(), "portolan-policy-"))));
after(() => rm(scratch, { recursive: true, force: true }));

describe("generate", () => {
  test("writes a policy that lint accepts, to the standard output alone", async () => {
    const { code, stdout, stderr } = await generate("--profile", usProfile, "--source", "us-east-1", "--account", account, "--stream");
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
    const { Statement: statements } = JSON.parse(stdout);
    assert.equal(statements.length, 2);
    assert.deepEqual(statements[1].Action, ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]);
    const file = path.join(scratch, "policy.json");
    await writeFile(file, stdout);
    assert.deepEqual(await lint(file), { code: 0, signal: null, stdout: "no findings\n", stderr: "" });
  });

  test("is the same every time", async () => {
    const words = ["--profile", `${usProfile},${globalProfile}`, "--source", "us-east-1", "--account", account];
    assert.equal((await generate(...words)).stdout, (await generate(...words)).stdout);
  });

  test("tells on the standard error what the policy does besides", async () => {
    const { code, stdout, stderr } = await generate("--deny", "regions", "--allow", "us-east-1,us-west-2");
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout).Statement[0].Condition.StringNotEquals["aws:RequestedRegion"], ["us-east-1", "us-west-2"]);
    assert.match(stderr, /^note: "unspecified" is not in the list, so Global profiles are denied/m);
    assert.match(stderr, /^note: Geographic profiles that also go to other Regions are denied/m);
  });

  test("writes a package for Customizations for Control Tower", async () => {
    const output = path.join(scratch, "cfct");
    const { code, stdout } = await generate(...["--deny", "global", "--format", "cfct", "--target", "Workloads"], ...["--home-region", "eu-west-1", "--output", output]);
    assert.equal(code, 0);
    assert.deepEqual(stdout.trim().split("\n").map((file) => path.relative(output, file)), ["manifest.yaml", "policies/deny-global.json"]);
    const manifest = await readFile(path.join(output, "manifest.yaml"), "utf8");
    for (const line of ["region: eu-west-1", "version: 2021-03-15", "    deploy_method: scp", '        - "Workloads"'])
      assert.ok(manifest.split("\n").includes(line), manifest);
    assert.deepEqual(await readdir(path.join(output, "policies")), ["deny-global.json"]);
  });

  test("writes Terraform with attachments, and splits what is too long into files", async () => {
    const { stdout } = await generate("--deny", "cross-region", "--format", "terraform", "--target", "r-examp");
    assert.match(stdout, /resource "aws_organizations_policy_attachment"[^}]*target_id = "r-examp"/);
    const long = ["--profile", globalProfile, "--source", "all", "--account", account, "--when-too-long", "split"];
    const refused = await generate(...long);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /these are \d+ files: --output DIR/);
    const output = path.join(scratch, "long");
    assert.equal((await generate(...long, "--output", output)).code, 0);
    for (const file of await readdir(output)) {
      const text = await readFile(path.join(output, file), "utf8");
      assert.ok(text.replaceAll(/\s/g, "").length <= 6144, file);
    }
  });

  test("refuses what contradicts itself or the catalog, with the nearest name", async () => {
    const refusals = [
      [[], /--profile PROFILE .* or --deny WHAT/],
      [["--profile", usProfile, "--deny", "global"], /--profile PROFILE .* or --deny WHAT/],
      [["--deny", "global", "--account", account], /grants nothing/],
      [["--profile", usProfile, "--account", account], /a source Region is needed; it can be called in us-east-1/],
      [["--profile", usProfile, "--source", "us-eest-1", "--account", account], /did you mean us-east-1\?/],
      [["--profile", usProfile, "--source", "us-east-1"], /12 digits/],
      [["--profile", `${usProfile}0`, "--source", "us-east-1", "--account", account], /no such profile; did you mean/],
      [["--profile", usProfile, "--source", "us-east-1", "--account", account, "--action", "bedrock:Converse"], /authorised by bedrock:InvokeModel/],
      [["--deny", "global", "--format", "cfct", "--output", scratch], /home Region/],
      [["--deny", "global", "--name", "../up"], /letters, digits/],
    ];
    for (const [words, message] of refusals) {
      const { code, stdout, stderr } = await generate(...words);
      assert.equal(code, 2, words.join(" "));
      assert.equal(stdout, "");
      assert.match(stderr, message);
    }
  });
});

describe("lint", () => {
  test("finds the fault of every broken set, and nothing in its repaired twin", async () => {
    const names = await readdir(sets("broken"));
    assert.ok(names.length >= 25);
    for (const name of names) {
      const [rule, severity, file] = (await readFile(sets("broken", name, "finding.txt"), "utf8")).split("\n", 1)[0].split(" ");
      const { code, stdout } = await lint("--policies", sets("broken", name), "--json");
      const findings = stdout.trim().split("\n").map((line) => JSON.parse(line));
      assert.ok(findings.some((finding) => finding.rule === rule && finding.severity === severity && finding.file.endsWith(`/${file}`)), `${name}: ${stdout}`);
      assert.equal(code, findings.some((finding) => finding.severity === "error") ? 1 : 0, name);
      assert.deepEqual(await lint("--policies", sets("repaired", name)), { code: 0, signal: null, stdout: "no findings\n", stderr: "" }, name);
    }
  });

  test("leaves findings below a severity out, and not their exit code", async () => {
    const warned = ["--policies", sets("broken/every-model")];
    assert.match((await lint(...warned)).stdout, /\[wildcard-models\]/);
    assert.equal((await lint(...warned, "--severity", "error")).stdout, "no findings\n");
    const broken = await lint("--policies", sets("broken/converse-as-action"), "--severity", "error");
    assert.equal(broken.code, 1);
    assert.match(broken.stdout, /^\S+\/identity\/app\.json:7:17: error: .*Converse is authorised as bedrock:InvokeModel \[unknown-action\]\n {4}repair: /m);
  });

  test("writes SARIF with the rules and the places", async () => {
    const { code, stdout } = await lint("--policies", sets("broken/aws-region-key"), "--sarif");
    assert.equal(code, 1);
    const { runs: [{ tool, results }] } = JSON.parse(stdout);
    const rules = tool.driver.rules.map(({ id }) => id);
    for (const { ruleId, locations: [{ physicalLocation }] } of results) {
      assert.ok(rules.includes(ruleId));
      assert.match(physicalLocation.artifactLocation.uri, /\/identity\/app\.json$/);
      assert.ok(physicalLocation.region.startLine > 1);
    }
  });

  test("lists its rules", async () => {
    const lines = (await lint("--rules")).stdout.trim().split("\n");
    const listed = (await lint("--rules", "--json")).stdout.trim().split("\n").map((line) => JSON.parse(line).id);
    assert.deepEqual(lines.map((line) => line.split(" ", 1)[0]), listed);
    assert.ok(listed.includes("missing-null-guard"));
  });

  test("refuses what it cannot read, with the place", async () => {
    const file = path.join(scratch, "broken.json");
    await writeFile(file, '{"Version": "2012-10-17",\n "Statement": [{]}');
    const malformed = await lint(file);
    assert.equal(malformed.code, 2);
    assert.match(malformed.stderr, /broken\.json: line 2, column \d+: /);
    const missing = await lint("--policies", path.join(scratch, "nowhere"));
    assert.equal(missing.code, 2);
    const set = path.join(scratch, "set");
    await mkdir(set);
    await writeFile(path.join(set, "organization.yaml"), "version: 1\naccounts: []\nprincipals: 7\n");
    const mistaken = await lint("--policies", set);
    assert.equal(mistaken.code, 2);
    assert.match(mistaken.stderr, /organization\.yaml:3:/);
  });
});

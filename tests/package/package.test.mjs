// SPDX-License-Identifier: Apache-2.0
// The Debian package installs, works, and goes away again: with dpkg itself, in a scratch root, without a container.
//
// What this does not try: systemd starting the unit (it is only verified and rated), the dependencies being fetched (the
// scratch root is empty, so dpkg is told to overlook them; the binary finds the libraries of this machine), and an upgrade
// from an older package (there is none yet).
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { packageFile, repository, tree } from "./package.mjs";

const deb = packageFile();
const field = (name) => execFileSync("dpkg-deb", ["--field", deb, name], { encoding: "utf8" }).trim();

describe("the package", () => {
  test("depends on the libraries that its binary loads, in the versions it was linked with", () => {
    const depends = field("Depends");
    for (const library of ["libc6", "libssl3", "libnghttp2-14", "libyaml-cpp0.7", "libfmt9", "libsimdjson14"])
      assert.match(depends, new RegExp(`(^|, )${library.replace(".", "\\.")} \\(>= [^)]+\\)`), library);
    assert.doesNotMatch(depends, /-dev\b/);
  });

  test("contains nothing that its owner or group could be tricked with", () => {
    const list = execFileSync("dpkg-deb", ["--contents", deb], { encoding: "utf8" }).trim().split("\n");
    assert.ok(list.length > 20);
    for (const line of list) {
      assert.match(line, /^[-dl]\S{9} root\/root /, line);
      assert.doesNotMatch(line, /^.{3}[sS]|^.{6}[sS]|^-.{4}w|^-.{7}w|^d.{4}w|^d.{7}w/, line);
    }
  });

  test("is the same, byte for byte, when it is built again", () => {
    const again = mkdtempSync(path.join(tmpdir(), "portolan-again-"));
    try {
      const tools = readFileSync(path.join(path.dirname(deb), "tools"), "utf8").split("\n").filter(Boolean);
      execFileSync(path.join(repository, "packaging/debian/build"), [tree, again, ...tools], { stdio: ["ignore", "pipe", "inherit"] });
      assert.ok(readFileSync(deb).equals(readFileSync(path.join(again, path.basename(deb)))));
    } finally {
      rmSync(again, { recursive: true, force: true });
    }
  });

  test("leaves the debug symbols beside itself", () => {
    const symbols = path.join(path.dirname(deb), "debug", `portolan-${field("Version")}.debug`);
    assert.match(execFileSync("readelf", ["-SW", symbols], { encoding: "utf8" }), /\.debug_line/);
  });
});

describe("installed into a scratch root", () => {
  let root;
  let before_;
  const at = (...place) => path.join(root, ...place);
  const dpkg = (...args) => {
    const done = spawnSync("dpkg", [`--root=${root}`, "--force-not-root", "--force-depends", "--force-script-chrootless", "--no-triggers", ...args], { encoding: "utf8" });
    assert.equal(done.status, 0, `${args.join(" ")}\n${done.stdout}${done.stderr}`);
    return done.stdout + done.stderr;
  };
  const files = () => execFileSync("find", [root, "-mindepth", "1", "-not", "-path", `${root}/var/lib/dpkg*`, "-printf", "/%P\n"], { encoding: "utf8" }).trim().split("\n").filter(Boolean).sort();
  const group = (name) => Number(readFileSync(at("etc/group"), "utf8").match(new RegExp(`^${name}:[^:]*:(\\d+):`, "m"))?.[1]);
  const portolan = (...args) => spawnSync(at("usr/bin/portolan"), args, { encoding: "utf8" });

  before(() => {
    root = mkdtempSync(path.join(tmpdir(), "portolan-root-"));
    for (const folder of ["info", "updates", "triggers", "parts", "alternatives"]) mkdirSync(at("var/lib/dpkg", folder), { recursive: true });
    for (const file of ["status", "available"]) writeFileSync(at("var/lib/dpkg", file), "");
    mkdirSync(at("etc"));
    for (const file of ["passwd", "group"]) copyFileSync(path.join("/usr/share/base-passwd", `${file}.master`), at("etc", file));
    before_ = files();
    dpkg("--install", deb);
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  test("every file is in its place with its owner and mode", () => {
    const user = readFileSync(at("etc/passwd"), "utf8").match(/^portolan:[^:]*:(\d+):(\d+):[^:]*:\/var\/lib\/portolan:(\S+)$/m);
    assert.ok(user, "no user portolan");
    assert.match(user[3], /nologin|false/);
    const uid = Number(user[1]);
    const gid = group("portolan");
    const expected = {
      "usr/bin/portolan": [0o755, 0, 0],
      "lib/systemd/system/portolan.service": [0o644, 0, 0],
      "usr/share/man/man1/portolan.1.gz": [0o644, 0, 0],
      "usr/share/bash-completion/completions/portolan": [0o644, 0, 0],
      "usr/share/doc/portolan/copyright": [0o644, 0, 0],
      "usr/share/doc/portolan/configuration.md": [0o644, 0, 0],
      "usr/share/doc/portolan/sbom.cdx.json": [0o644, 0, 0],
      "etc/portolan": [0o750, 0, gid],
      "etc/portolan/portolan.yaml": [0o640, 0, gid],
      "etc/portolan/secrets": [0o750, 0, gid],
      "etc/portolan/secrets/provider": [0o640, 0, gid],
      "etc/portolan/secrets/first-caller": [0o640, 0, gid],
      "var/lib/portolan": [0o700, uid, gid],
    };
    for (const [place, [mode, owner, itsGroup]] of Object.entries(expected)) {
      // By stat(1): what fakeroot tells about owners does not reach Node.js.
      const found = execFileSync("stat", ["--format=%a %u %g", at(place)], { encoding: "utf8" }).trim();
      assert.equal(found, `${mode.toString(8)} ${owner} ${itsGroup}`, place);
    }
  });

  test("the binary runs, and the default configuration passes its check", () => {
    assert.match(portolan("--version").stdout, /^portolan \d+\.\d+\.\d+$/m);
    const moved = at("portolan.yaml");
    writeFileSync(moved, readFileSync(at("etc/portolan/portolan.yaml"), "utf8").replaceAll("file:/etc/", `file:${root}/etc/`));
    const checked = portolan("check", "-c", moved);
    assert.equal(checked.status, 0, checked.stdout + checked.stderr);
    rmSync(moved);
    assert.match(readFileSync(at("etc/portolan/secrets/first-caller"), "utf8"), /^[A-Za-z0-9+/]{43}=\n$/);
  });

  test("the manual page names every command, and man can lay it out", () => {
    const page = execFileSync("gzip", ["-dc", at("usr/share/man/man1/portolan.1.gz")], { encoding: "utf8" });
    for (const [, command] of portolan("--help").stdout.matchAll(/^ {2}([a-z]+) {2,}/gm)) assert.match(page, new RegExp(`^\\.SS portolan ${command}$`, "m"));
    const laidOut = spawnSync("man", ["--warnings", "-E", "UTF-8", "-l", "-"], { input: page, encoding: "utf8", env: { ...process.env, MANWIDTH: "100", MANROFFSEQ: "" } });
    if (laidOut.error === undefined) {
      assert.equal(laidOut.stderr, "");
      assert.match(laidOut.stdout, /--config/);
    }
  });

  test("the unit is one that systemd accepts, and keeps its rating", () => {
    const verified = spawnSync("systemd-analyze", ["verify", `--root=${root}`, "--man=no", "--recursive-errors=no", "portolan.service"], { encoding: "utf8" });
    assert.equal(verified.stderr.split("\n").filter((line) => line.includes("portolan")).join("\n"), "");
    const rated = spawnSync("systemd-analyze", ["security", "--offline=yes", "--threshold=20", `--root=${root}`, "portolan.service"], { encoding: "utf8" });
    assert.equal(rated.status, 0, rated.stdout + rated.stderr);
  });

  test("a removal keeps what belongs to the operator, a purge leaves only the user", () => {
    writeFileSync(at("var/lib/portolan/admin.key"), "kept");
    dpkg("--remove", "portolan");
    assert.ok(!existsSync(at("usr/bin/portolan")));
    for (const kept of ["etc/portolan/portolan.yaml", "etc/portolan/secrets/first-caller", "var/lib/portolan/admin.key"])
      assert.ok(existsSync(at(kept)), kept);

    dpkg("--install", deb);
    dpkg("--purge", "portolan");
    const users = /^\/etc(\/(passwd|group|shadow|gshadow|\.pwd\.lock)-?)?$/;
    const left = files().filter((file) => !before_.includes(file) && !users.test(file));
    assert.deepEqual(left.filter((file) => !statSync(at(file)).isDirectory()), []);
    assert.deepEqual(left.filter((file) => file.includes("portolan")), []);
  });
});

// SPDX-License-Identifier: Apache-2.0
// Certificates as an operator makes them, with the openssl command line.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** A folder with an authority of its own: ca.pem, and NAME.pem with NAME.key for whom it vouches. */
export class Certificates {
  static async make() {
    const folder = await mkdtemp(path.join(tmpdir(), "portolan-tls-"));
    const made = new Certificates(folder);
    await made.#openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority", "-days", "2");
    return made;
  }

  constructor(folder) {
    this.folder = folder;
  }

  file(name) {
    return path.join(this.folder, name);
  }

  /** `names` as in "DNS:localhost,IP:127.0.0.1,URI:spiffe://acme/mesh". Gives { cert, key }: files. */
  async issue(name, names, { days = 60, subject = `/CN=${name}` } = {}) {
    await this.#openssl("req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", subject);
    await writeFile(this.file(`${name}.ext`), `subjectAltName=${names}\n`);
    await this.#openssl("x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
      "-days", `${days}`, "-extfile", `${name}.ext`, "-out", `${name}.pem`);
    return { cert: this.file(`${name}.pem`), key: this.file(`${name}.key`) };
  }

  async remove() {
    await rm(this.folder, { recursive: true, force: true });
  }

  #openssl(...args) {
    return run("openssl", args, { cwd: this.folder });
  }
}

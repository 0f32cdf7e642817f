// SPDX-License-Identifier: Apache-2.0
// Where the tests of this folder find what they look at: the build and the package that `./dev package` made.
import { readdirSync } from "node:fs";
import path from "node:path";

export const repository = path.resolve(import.meta.dirname, "../..");
export const tree = path.resolve(repository, process.env.PORTOLAN_TREE ?? "build/release");
const folder = path.resolve(repository, process.env.PORTOLAN_PACKAGE ?? "build/package");
export const packageFile = () => path.join(folder, readdirSync(folder).find((name) => name.endsWith(".deb")));

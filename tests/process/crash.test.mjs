// SPDX-License-Identifier: Apache-2.0
// kill -9 under load. The long version is soak/crash.test.mjs.
import { test } from "node:test";
import { killUnderLoad } from "./crash.mjs";

test("5 kills under load: every call that a client saw complete has its record", (t) => killUnderLoad(t, 5));

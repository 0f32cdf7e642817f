// SPDX-License-Identifier: Apache-2.0
import { test } from "node:test";
import { killUnderLoad } from "../crash.mjs";

test("50 kills under load: every call that a client saw complete has its record", (t) => killUnderLoad(t, 50));

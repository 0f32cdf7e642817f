// SPDX-License-Identifier: Apache-2.0
import { test } from "node:test";
import { reloadUnderLoad } from "./reload.mjs";

test("20 reloads under 200 calls a second: no call fails, none is unrecorded", (t) => reloadUnderLoad(t, { reloads: 20, rate: 200, seconds: 5 }));

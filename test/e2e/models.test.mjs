// GET /v1/models in both shapes.
import assert from "node:assert/strict";
import { openStage, test, after } from "./stage.mjs";

const stage = await openStage();
after(() => stage.close());
const { openai, anthropic } = stage.clients();

test("the OpenAI SDK lists the routes", async () => {
  const ids = [];
  for await (const model of openai.models.list()) {
    assert.equal(model.object, "model");
    ids.push(model.id);
  }
  for (const route of ["assistant", "helper", "vectors"]) assert.ok(ids.includes(route), `${route} in ${ids}`);
  assert.equal(new Set(ids).size, ids.length);
});

test("the Anthropic SDK lists them in its own shape", async () => {
  const models = [];
  for await (const model of anthropic.models.list()) models.push(model);
  assert.ok(models.some(({ id }) => id === "helper"));
  for (const { type, display_name, created_at } of models) {
    assert.equal(type, "model");
    assert.match(display_name, /\S/);
    assert.ok(!Number.isNaN(Date.parse(created_at)));
  }
});

test("the list is for those with a key", async () => {
  const { openai: stranger } = stage.clients("sk-stranger");
  await assert.rejects(stranger.models.list().then((page) => page.data), { status: 401 });
});

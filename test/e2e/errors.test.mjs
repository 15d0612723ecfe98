// Whatever goes wrong reaches the SDK as the error class that its users catch.
import assert from "node:assert/strict";
import OpenAI from "openai";
import Anthropic from "@anthropic-ai/sdk";
import { error, events, Recorder } from "./recorder.mjs";
import { ask, clientsOf, names, speakers } from "./speak.mjs";
import { after, freePort, Gateway, KEY, openStage, routeFor, test, usualConfig } from "./stage.mjs";

const upstream = await Recorder.start();
const nobody = `http://127.0.0.1:${await freePort()}`;
const stage = await openStage({
  change: (config) => {
    config.backends.scripted = { url: upstream.url };
    config.backends.scripted_claude = { url: upstream.url, dialect: "anthropic" };
    config.backends.nobody = { url: nobody };
    config.backends.nobody_claude = { url: nobody, dialect: "anthropic" };
    for (const backend of ["scripted", "scripted_claude", "nobody", "nobody_claude"])
      config.routes[backend] = { reference: `${backend}/m`, attempts: 1 };
    return config;
  },
});
after(async () => {
  await stage.close();
  await upstream.stop();
});
const clients = stage.clients();
const sdkOf = { openai: OpenAI, anthropic: Anthropic };
const suited = (name, route) => (speakers[name].sdk === "anthropic" ? `${route}_claude` : route);

for (const name of names) {
  const sdk = sdkOf[speakers[name].sdk];
  const fails = (Class, status, request, from = clients) =>
    assert.rejects(ask(from, name, { prompt: "Hello", ...request }), (caught) => {
      assert.ok(caught instanceof Class, `${caught.constructor.name}: ${caught.message}`);
      assert.equal(caught.status, status);
      assert.match(caught.message, /\w+ \w+/);
      return true;
    });

  test(`${name}: an unknown model is a NotFoundError that names it`, async () => {
    await assert.rejects(ask(clients, name, { model: "no-such-model", prompt: "Hello" }), (caught) => {
      assert.ok(caught instanceof sdk.NotFoundError, `${caught.constructor.name}: ${caught.message}`);
      assert.match(caught.message, /no-such-model/);
      if (sdk === OpenAI) assert.equal(caught.code, "model_not_found");
      else assert.equal(caught.error.error.type, "not_found_error");
      return true;
    });
  });

  test(`${name}: an unknown key is an AuthenticationError that does not repeat the key`, async () => {
    const stranger = stage.clients("sk-nobody-gave-me-this");
    await assert.rejects(ask(stranger, name, { model: routeFor(name), prompt: "Hello" }), (caught) => {
      assert.ok(caught instanceof sdk.AuthenticationError, `${caught.constructor.name}: ${caught.message}`);
      assert.doesNotMatch(caught.message, /nobody-gave/);
      return true;
    });
  });

  test(`${name}: an invalid body is a BadRequestError`, async () => {
    await fails(sdk.BadRequestError, 400, { model: 17 });
    await fails(sdk.BadRequestError, 400, { model: routeFor(name), extra: { stream: "perhaps" } });
  });

  test(`${name}: an upstream's 429 arrives with its retry-after`, async () => {
    const body = { type: "error", error: { type: "rate_limit_error", message: "Slow down a little", code: null, param: null } };
    upstream.answer = () => error("429 Too Many Requests\r\nretry-after: 7", body);
    // Of a model of its own: it is left alone for these seconds.
    await assert.rejects(ask(clients, name, { model: `${suited(name, "scripted")}/limited-${name}`, prompt: "Hello" }), (caught) => {
      assert.ok(caught instanceof sdk.RateLimitError, `${caught.constructor.name}: ${caught.message}`);
      assert.equal(caught.headers.get("retry-after"), "7");
      assert.match(caught.message, /Slow down a little/);
      return true;
    });
  });

  test(`${name}: an upstream's 500 and 400 pass with their words`, async () => {
    const words = (type) => ({ type: "error", error: { type, message: "The reason is known", param: "temperature", code: null } });
    upstream.answer = () => error("500 Internal Server Error", words("api_error"));
    await fails(sdk.InternalServerError, 500, { model: suited(name, "scripted") });
    upstream.answer = () => error("400 Bad Request", words("invalid_request_error"));
    await assert.rejects(ask(clients, name, { model: suited(name, "scripted"), prompt: "Hello" }), /The reason is known/);
  });

  test(`${name}: an upstream that nobody can reach is a 502`, async () => {
    await fails(sdk.InternalServerError, 502, { model: suited(name, "nobody") });
  });

  test(`${name}: an upstream that hangs up before its first byte is a 502`, async () => {
    upstream.answer = () => "HTTP/1.1 200 OK\r\nconnection: close";
    await fails(sdk.InternalServerError, 502, { model: suited(name, "scripted") });
  });

  test(`${name}: a stream that the upstream cuts ends in an error, never as if it were whole`, async () => {
    const headers = { "x-twin-fault": "cut-after=10" };
    const cut = ask(clients, name, { model: routeFor(name), prompt: "Tell me a story of 100 words.", stream: true, headers });
    if (name === "responses") {
      // This API tells errors as events, which its SDK hands on.
      const types = (await cut).events.map(({ type }) => type);
      assert.equal(types.at(-1), "error");
      assert.ok(!types.includes("response.completed"));
    } else {
      await assert.rejects(cut, sdk.APIError);
    }
    const id = clients.heard.at(-1).headers.get("x-equipoise-id");
    assert.equal((await stage.gateway.row(id)).state, "cut");
  });

  test(`${name}: frames that are not JSON pass untouched, and the request is booked`, async () => {
    upstream.answer = () => events(["data: {nonsense\n\n", "data: [DONE]\n\n"]);
    const { path, body } = speakers[name];
    const response = await fetch(stage.gateway.url + path, {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ ...body(suited(name, "scripted"), "Hello", 50), stream: true }),
    });
    assert.equal(response.status, 200);
    assert.match(await response.text(), /data: \{nonsense\n\n/);
    assert.ok((await stage.gateway.row(response.headers.get("x-equipoise-id"))).state);
  });
}

test("an unknown path is a 404 and a wrong method a 405, in JSON", async () => {
  const headers = { authorization: `Bearer ${KEY}` };
  for (const [path, method, status] of [["/v1/nothing", "GET", 404], ["/v1/chat/completions", "GET", 405]]) {
    const response = await fetch(stage.gateway.url + path, { method, headers });
    assert.equal(response.status, status);
    assert.match((await response.json()).error.message, /\w+/);
  }
});

// RFC 9110, 11.6.1, 15.5.6 and 15.5.16; the admin's pages likewise.
test("what is refused for its key, method or coding is told what is wanted", async () => {
  const { url, admin } = stage.gateway;
  const key = { authorization: `Bearer ${KEY}` };
  for (const [at, init, status, name, value] of [
    [`${url}/v1/chat/completions`, { method: "POST", body: "{}" }, 401, "www-authenticate", "Bearer"],
    [`${url}/v1/chat/completions`, { headers: key }, 405, "allow", "POST"],
    [`${url}/v1/feedback`, { headers: key }, 405, "allow", "POST"],
    [`${url}/v1/models`, { method: "POST", headers: key, body: "{}" }, 405, "allow", "GET, HEAD"],
    [`${url}/v1/chat/completions`, { method: "POST", headers: { ...key, "content-encoding": "gzip" }, body: "{}" }, 415, "accept-encoding", "identity"],
    [`${admin}/metrics`, { method: "POST", body: "{}" }, 405, "allow", "GET"],
    [`${admin}/levers`, { method: "DELETE" }, 405, "allow", "GET, POST"],
    [`${admin}/reload`, {}, 405, "allow", "POST"],
  ]) {
    const response = await fetch(at, init);
    await response.text();
    assert.equal(response.status, status, `${init.method ?? "GET"} ${at}`);
    assert.equal(response.headers.get(name), value, `${init.method ?? "GET"} ${at}`);
  }
});

test("a body above the limit is a 413", async () => {
  const config = usualConfig(stage.twin.url);
  const gateway = await Gateway.start({ ...config, limits: { body: "64KiB" } });
  try {
    const { openai } = clientsOf(gateway.url, KEY);
    const messages = [{ role: "user", content: "x".repeat(100_000) }];
    await assert.rejects(openai.chat.completions.create({ model: "assistant", messages }), (caught) => caught.status === 413);
  } finally {
    await gateway.stop();
  }
});

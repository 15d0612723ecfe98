// A backend that keeps every request's raw bytes and answers as the test says: for what the modelled backend would not
// tell, or would not do.
import net from "node:net";
import tls from "node:tls";

export const json = (body, status = "200 OK") =>
  `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

const USAGE = { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 };

export const completion = (text = "yes", usage = USAGE) => json(JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
  usage,
}));

export const error = (status, body) => json(JSON.stringify(body), status);

const NO_MODELS = json('{"object":"list","data":[]}');

// Head and frames of a stream that ends by closing the connection.
export const events = (frames) =>
  `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n${frames.join("")}`;

export class Recorder {
  requests = []; // { head, body } in order of arrival
  answer = () => completion();
  #sockets = new Set();

  static async start(secure) {
    const recorder = new Recorder();
    const serve = (socket) => recorder.#serve(socket);
    recorder.server = secure ? tls.createServer(secure, serve) : net.createServer(serve);
    recorder.server.on("tlsClientError", () => {});
    await new Promise((done) => recorder.server.listen(0, "127.0.0.1", done));
    recorder.port = recorder.server.address().port;
    recorder.url = `${secure ? "https" : "http"}://127.0.0.1:${recorder.port}`;
    return recorder;
  }

  #serve(socket) {
    let bytes = Buffer.alloc(0);
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket)).on("error", () => {});
    socket.on("data", (data) => {
      bytes = Buffer.concat([bytes, data]);
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = bytes.subarray(0, end).toString("latin1");
      const length = Number(head.match(/^content-length: *(\d+)/im)?.[1] ?? 0);
      if (bytes.length < end + 4 + length) return;
      const request = { head, body: bytes.subarray(end + 4, end + 4 + length) };
      bytes = bytes.subarray(end + 4 + length);
      if (/^GET \S*\/v1\/models[? ]/.test(head)) return socket.write(NO_MODELS); // the gateway asks by itself
      this.requests.push(request);
      // What to answer, or nothing if it wrote to the socket itself.
      const answer = this.answer(request, this.requests.length, socket);
      if (answer === undefined) return;
      socket.write(answer);
      if (/^connection: close/im.test(answer)) socket.end();
    });
  }

  get last() {
    return this.requests.at(-1);
  }

  // Closes all connections, as servers do with idle ones.
  hangUp() {
    this.#sockets.forEach((socket) => socket.destroy());
  }

  async stop() {
    this.hangUp();
    await new Promise((done) => this.server.close(done));
  }
}

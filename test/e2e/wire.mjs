// Raw sockets on both sides of the gateway: a client that writes any bytes and hears exactly what comes back, and an
// origin that is stricter than the gateway and keeps every request as it saw it.
import net from "node:net";
import tls from "node:tls";

// Reads `CRLF`-ended heads and the bodies behind them from a growing buffer; anything unclear is an error.
class Messages {
  bytes = Buffer.alloc(0);

  push(data) {
    this.bytes = Buffer.concat([this.bytes, data]);
  }

  // { line, headers: Map of lists by lower-case name, head_len } or null while incomplete.
  head() {
    const end = this.bytes.indexOf("\r\n\r\n");
    if (end < 0) return null;
    const [line, ...fields] = this.bytes.subarray(0, end).toString("latin1").split("\r\n");
    const headers = new Map();
    for (const field of fields) {
      const match = field.match(/^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*$/);
      if (!match) throw new Error(`not a field: ${JSON.stringify(field)}`);
      const name = match[1].toLowerCase();
      headers.set(name, [...(headers.get(name) ?? []), match[2]]);
    }
    return { line, headers, head_len: end + 4 };
  }

  // The body at `from`: { body, end } or null while incomplete.
  body(headers, from, without) {
    const lengths = headers.get("content-length") ?? [];
    const codings = headers.get("transfer-encoding") ?? [];
    if (lengths.length + codings.length > 1) throw new Error("two framings");
    if (without || lengths.length + codings.length === 0) return { body: "", end: from };
    if (lengths.length) {
      if (!/^\d+$/.test(lengths[0])) throw new Error(`length ${lengths[0]}`);
      const end = from + Number(lengths[0]);
      return this.bytes.length < end ? null : { body: this.bytes.subarray(from, end).toString("latin1"), end };
    }
    if (codings[0] !== "chunked") throw new Error(`coding ${codings[0]}`);
    return this.chunks(from);
  }

  chunks(at) {
    let body = "";
    for (;;) {
      const eol = this.bytes.indexOf("\r\n", at);
      if (eol < 0) return null;
      const size = this.bytes.subarray(at, eol).toString("latin1");
      if (!/^[0-9a-f]{1,8}$/i.test(size)) throw new Error(`chunk size ${JSON.stringify(size)}`);
      const end = eol + 2 + parseInt(size, 16);
      if (this.bytes.length < end + 2) return null;
      if (this.bytes.subarray(end, end + 2).toString() !== "\r\n") throw new Error("a chunk without its end");
      body += this.bytes.subarray(eol + 2, end).toString("latin1");
      at = end + 2;
      if (parseInt(size, 16) === 0) return { body, end: at };
    }
  }

  drop(len) {
    this.bytes = this.bytes.subarray(len);
  }
}

// Keeps every whole request as { method, target, headers, body }; what it cannot read as `garbage`, how many connections
// there were as `connections`. `answer(request, socket)` gives the bytes to answer with, or nothing if it wrote itself.
export class Origin {
  requests = [];
  garbage = [];
  connections = 0;
  #sockets = new Set();

  static async start(answer) {
    const origin = new Origin();
    origin.answer = answer;
    origin.server = net.createServer((socket) => origin.#serve(socket));
    await new Promise((done) => origin.server.listen(0, "127.0.0.1", done));
    origin.port = origin.server.address().port;
    origin.url = `http://127.0.0.1:${origin.port}`;
    return origin;
  }

  #serve(socket) {
    const messages = new Messages();
    this.#sockets.add(socket);
    let counted = false;
    socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
    socket.on("data", (data) => {
      messages.push(data);
      try {
        for (let request; (request = this.#next(messages)); ) {
          if (request.target === "/v1/models") {
            socket.write("HTTP/1.1 200 OK\r\ncontent-length: 27\r\n\r\n" + '{"object":"list","data":[]}');
            continue; // the gateway asks by itself
          }
          if (!counted) this.connections++;
          counted = true;
          this.requests.push(request);
          const bytes = this.answer(request, socket);
          if (bytes !== undefined) socket.write(bytes, "latin1");
        }
      } catch (error) {
        this.garbage.push(`${error.message}: ${messages.bytes.toString("latin1").slice(0, 500)}`);
        socket.destroy();
      }
    });
  }

  #next(messages) {
    const head = messages.head();
    const body = head && messages.body(head.headers, head.head_len);
    if (!body) return null;
    const [method, target, version, ...more] = head.line.split(" ");
    if (version !== "HTTP/1.1" || more.length) throw new Error(`request line ${head.line}`);
    messages.drop(body.end);
    return { method, target, headers: head.headers, body: body.body };
  }

  // What came since the last call, as "METHOD target body".
  take() {
    return this.requests.splice(0).map(({ method, target, body }) => `${method} ${target}${body && ` ${body}`}`);
  }

  async stop() {
    this.#sockets.forEach((socket) => socket.destroy());
    await new Promise((done) => this.server.close(done));
  }
}

// A connection to the gateway that says when there is something new to look at.
export class Wire {
  messages = new Messages();
  ended = false; // the gateway has closed its side
  failed = null;
  #wake = () => {};

  static async open(port, ca) {
    const wire = new Wire();
    const where = { port, host: "127.0.0.1", allowHalfOpen: true };
    wire.socket = ca ? tls.connect({ ...where, ca }) : net.connect(where);
    wire.socket.setNoDelay(true);
    wire.socket.on("error", (error) => ((wire.failed = error), (wire.ended = true), wire.#wake()));
    await new Promise((done) => ((wire.#wake = done), wire.socket.once(ca ? "secureConnect" : "connect", done)));
    wire.socket.on("data", (data) => (wire.messages.push(data), wire.#wake()));
    wire.socket.on("end", () => ((wire.ended = true), wire.#wake()));
    wire.socket.on("close", () => ((wire.closed = wire.ended = true), wire.#wake()));
    return wire;
  }

  // Resolves when all is handed to the kernel, or the gateway wants no more.
  write(bytes) {
    if (this.ended) return Promise.resolve();
    return new Promise((done) => this.socket.write(bytes, "latin1", () => done()));
  }

  // Waits until `look` gives something.
  async until(what, look) {
    for (const giveUp = Date.now() + 240_000; ; ) {
      const seen = look();
      if (seen) return seen;
      const left = giveUp - Date.now();
      if (left <= 0) throw new Error(`waited in vain for ${what}; got ${JSON.stringify(this.messages.bytes.toString("latin1"))}`);
      let timer;
      await new Promise((done) => ((this.#wake = done), (timer = setTimeout(done, left))));
      clearTimeout(timer);
    }
  }

  // The next answer, interim ones too: { status, headers, body }; null if the gateway closed without one.
  async answer(bodyless) {
    const found = await this.until("an answer", () => {
      const head = this.messages.head();
      const status = head && Number(head.line.match(/^HTTP\/1\.1 (\d{3}) /)?.[1] ?? NaN);
      if (Number.isNaN(status)) throw new Error(`status line ${head.line}`);
      const without = bodyless || status < 200 || status === 204 || status === 304;
      const untilEnd = head && !without && !head.headers.has("content-length") && !head.headers.has("transfer-encoding");
      if (untilEnd && !this.ended) return null;
      const body = head && (untilEnd ? { body: this.messages.bytes.subarray(head.head_len).toString("latin1"), end: this.messages.bytes.length }
        : this.messages.body(head.headers, head.head_len, without));
      if (!body) return this.ended ? { nothing: true } : null;
      this.messages.drop(body.end);
      return { status, headers: head.headers, body: body.body };
    });
    return found.nothing ? null : found;
  }

  end = () => this.until("the connection's end", () => this.ended);

  async leave() {
    this.socket.end();
    await this.until("the connection's close", () => this.closed);
  }

  destroy() {
    this.socket.destroy();
  }
}

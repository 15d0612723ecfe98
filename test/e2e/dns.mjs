// A small server of the DNS on loopback, over UDP, and over TCP for whom it told that not all fits. What it knows is set by
// the test: names with their addresses, services with their places.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { once } from "node:events";

const TYPES = { A: 1, AAAA: 28, SRV: 33 };

const u16 = (value) => Buffer.from([value >> 8, value & 255]);
const labels = (name) => Buffer.concat([...name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])), Buffer.from([0])]);

function record(owner, type, content) {
  return Buffer.concat([labels(owner), u16(TYPES[type]), u16(1), Buffer.from([0, 0, 0, 1]), u16(content.length), content]);
}

const address = (owner, ip) => record(owner, "A", Buffer.from(ip.split(".").map(Number)));
const service = (owner, { priority = 0, weight = 1, port, target }) => record(owner, "SRV", Buffer.concat([u16(priority), u16(weight), u16(port), labels(target)]));

export class Dns {
  static async start() {
    const dns = new Dns();
    dns.names = {}; // "engines.internal": ["127.0.0.1"]
    dns.services = {}; // "_http._tcp.engines.internal": [{ port, target, priority }]
    dns.asked = [];
    dns.unheard = 0; // of those while it was silent
    while (!(await dns.#listen())); // until both have the same port
    dns.udp.on("message", (message, from) => {
      if (dns.silent) return void dns.unheard++;
      const answer = dns.#answer(message, dns.truncates);
      dns.udp.send(answer, from.port, from.address);
    });
    dns.url = `127.0.0.1:${dns.udp.address().port}`;
    return dns;
  }

  async #listen() {
    this.udp = createSocket("udp4").bind(0, "127.0.0.1");
    await once(this.udp, "listening");
    this.tcp = createServer((socket) => this.#talk(socket)).listen(this.udp.address().port, "127.0.0.1");
    const isFree = await once(this.tcp, "listening").then(() => true, () => false);
    if (!isFree) this.udp.close();
    return isFree;
  }

  #talk(socket) {
    let got = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (piece) => {
      got = Buffer.concat([got, piece]);
      if (got.length < 2 || got.length < 2 + got.readUInt16BE(0)) return;
      const answer = this.#answer(got.subarray(2), false);
      socket.end(Buffer.concat([u16(answer.length), answer]));
    });
  }

  #answer(message, truncated) {
    let at = 12;
    const parts = [];
    for (; message[at] > 0; at += 1 + message[at]) parts.push(message.subarray(at + 1, at + 1 + message[at]).toString());
    const name = parts.join("."), type = message.readUInt16BE(at + 1), question = message.subarray(12, at + 5);
    this.asked.push({ name, type });
    const known = name in this.names || name in this.services;
    const places = type === TYPES.SRV ? this.services[name] ?? [] : [];
    const answers = places.map((place) => service(name, place));
    if (type === TYPES.A) answers.push(...(this.names[name] ?? []).map((ip) => address(name, ip)));
    const more = this.lonely ? [] : places.flatMap(({ target }) => (this.names[target] ?? []).map((ip) => address(target, ip)));
    const code = this.code ?? (known ? 0 : 3);
    const head = Buffer.concat([message.subarray(0, 2), u16(0x8180 | (truncated ? 0x0200 : 0) | code), u16(1), u16(truncated ? 0 : answers.length), u16(0), u16(truncated ? 0 : more.length)]);
    return Buffer.concat([head, question, ...(truncated ? [] : [...answers, ...more])]);
  }

  stop() {
    this.udp.close();
    this.tcp.close();
  }
}

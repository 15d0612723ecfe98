// How backends may frame their answers, and what must come of each: one row per trick, with the section that decides.
//
//   [section, what it is, bytes of the answer, outcome]
//
// Outcomes, by what the client gets:
//   taken(body)    200 and that body; the connection to the backend is kept for the next request
//   spent(body)    200 and that body; the connection is not used again
//   failed         a 502 that says why, as JSON; the connection is not used again
//   { status, body, reused, leaves, method }   anything else. `leaves`: the backend closes behind its bytes
const taken = (body) => ({ status: 200, body, reused: true });
const spent = (body) => ({ status: 200, body, reused: false });
const failed = { status: 502, reused: false };
const leaving = (outcome) => ({ ...outcome, leaves: true });

const OK = "HTTP/1.1 200 OK\r\n";
const TYPE = "Content-Type: application/json\r\n";
const body = '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}';
const size = body.length;
const hex = size.toString(16);
const LENGTH = `Content-Length: ${size}\r\n`;
const plain = `${OK}${TYPE}${LENGTH}\r\n${body}`;
const head = (fields, rest = body) => `${OK}${TYPE}${fields}\r\n${rest}`;
const length = (value) => head(`Content-Length:${value}\r\n`);
const coding = (value, rest = `${hex}\r\n${body}\r\n0\r\n\r\n`) => head(`Transfer-Encoding:${value}\r\n`, rest);
const chunks = (rest) => coding(" chunked", rest);
const first = (line) => `${line}\r\n${TYPE}${LENGTH}\r\n${body}`;
const many = (count, text) => text.repeat(count);

const rows = [
  ["9112 6.3", "a length", plain, taken(body)],
  ["9112 7.1", "chunks", chunks(`${hex}\r\n${body}\r\n0\r\n\r\n`), taken(body)],
  ["9112 7.1", "two chunks, sizes in capitals and with zeros", chunks(`00A\r\n${body.slice(0, 10)}\r\n${(size - 10).toString(16)}\r\n${body.slice(10)}\r\n000\r\n\r\n`), taken(body)],
  ["9112 6.3", "up to the end of the connection", head(""), leaving(spent(body))],
  ["9112 9.3", "HTTP/1.0", `HTTP/1.0 200 OK\r\n${TYPE}${LENGTH}\r\n${body}`, spent(body)],
  ["9112 9.6", "Connection: close", head(`Connection: close\r\n${LENGTH}`), spent(body)],
  ["9112 4", "no reason", first("HTTP/1.1 200 "), taken(body)],
  ["9112 4", "a reason beyond ASCII", first("HTTP/1.1 200 \xe9"), taken(body)],
  ["9110 2.5", "a later minor version", first("HTTP/1.2 200 OK"), taken(body)],
  ["9110 15.2", "interim answers before it", `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${plain}`, taken(body)],
  ["9112 7.1.2", "a trailer field: read and dropped", chunks(`${hex}\r\n${body}\r\n0\r\nX-Sum: 1\r\n\r\n`), taken(body)],
  // Two ways to read the length
  ["9112 6.3", "Content-Length and Transfer-Encoding", head(`${LENGTH}Transfer-Encoding: chunked\r\n`, "0\r\n\r\n"), failed],
  ["9112 6.3", "Transfer-Encoding and Content-Length", head(`Transfer-Encoding: chunked\r\n${LENGTH}`, "0\r\n\r\n"), failed],
  ["9112 6.3", "the same length twice", head(LENGTH + LENGTH), failed],
  ["9112 6.3", "two lengths", head(`${LENGTH}Content-Length: 3\r\n`), failed],
  ["9112 6.3", "a list of lengths", length(` ${size}, ${size}`), failed],
  ["9110 8.6", "a negative length", length(" -1"), failed],
  ["9110 8.6", "a length with a plus", length(` +${size}`), failed],
  ["9110 8.6", "a hexadecimal length", length(` 0x${hex}`), failed],
  ["9110 8.6", "an empty length", length(""), failed],
  ["9110 8.6", "a length beyond 64 bits", length(` ${2n ** 64n + BigInt(size)}`), failed],
  ["9112 6.1", "gzip, then chunked", coding(" gzip, chunked"), failed],
  ["9112 6.1", "chunked twice", coding(" chunked, chunked"), failed],
  ["9112 6.1", "chunked in two headers", head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), failed],
  ["9112 6.3", "chunked is not the last", coding(" chunked, identity"), failed],
  ["9112 6.3", "identity", coding(" identity", body), leaving(failed)],
  ["9112 6.3", "a coding nobody knows", coding(" xchunked"), leaving(failed)],
  ["9112 6.1", "HTTP/1.0 with chunks", `HTTP/1.0 200 OK\r\n${TYPE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, failed],
  // Lines
  ["9112 2.2", "a bare LF behind the status", `HTTP/1.1 200 OK\n${TYPE}${LENGTH}\r\n${body}`, failed],
  ["9112 2.2", "a bare LF behind a field", `${OK}X: a\n${TYPE}${LENGTH}\r\n${body}`, failed],
  ["9112 2.2", "a bare CR in a value", head(`X: a\rb\r\n${LENGTH}`), failed],
  ["9112 2.2", "bare LFs everywhere", plain.replaceAll("\r", ""), failed],
  ["9112 2.2", "an empty line before the status", `\r\n${plain}`, failed],
  ["9112 5.1", "a space before a colon", head(`X : a\r\n${LENGTH}`), failed],
  ["9112 5.2", "a folded field", head(`X: a\r\n b\r\n${LENGTH}`), failed],
  ["9112 5.2", "a folded length", head(`Content-Length:\r\n ${size}\r\n`), failed],
  ["9110 5.1", "an empty name", head(`: a\r\n${LENGTH}`), failed],
  ["9110 5.1", "a field without a colon", head(`X\r\n${LENGTH}`), failed],
  ["9110 5.5", "a zero byte in a value", head(`X: a\0b\r\n${LENGTH}`), failed],
  ["9110 5.5", "a control byte in a value", head(`X: a\x01b\r\n${LENGTH}`), failed],
  ["9110 5.6.2", "a letter beyond ASCII in a name", head(`X\xe9: a\r\n${LENGTH}`), failed],
  // The first line
  ["9112 4", "no status", first("HTTP/1.1"), failed],
  ["9112 4", "a status in letters", first("HTTP/1.1 abc OK"), failed],
  ["9112 4", "a status of two figures", first("HTTP/1.1 20 OK"), failed],
  ["9112 4", "a status of four figures", first("HTTP/1.1 2000 OK"), failed],
  ["9110 15", "a status of 099", first("HTTP/1.1 099 OK"), failed],
  ["9110 15", "a status of 600", first("HTTP/1.1 600 OK"), failed],
  ["9112 4", "two spaces before the status", first("HTTP/1.1  200 OK"), failed],
  ["9112 4", "a negative status", first("HTTP/1.1 -200 OK"), failed],
  ["9112 2.3", "http in small letters", first("http/1.1 200 OK"), failed],
  ["9112 2.3", "HTTP/2.0", first("HTTP/2.0 200 OK"), failed],
  ["9112 2.3", "HTTP/0.9", first("HTTP/0.9 200 OK"), failed],
  ["9112 2.3", "another protocol", first("ICY 200 OK"), failed],
  ["9112 2.3", "the answer of RTSP", first("RTSP/1.0 200 OK"), failed],
  ["9112 4", "garbage", "hello\r\n\r\n", failed],
  ["8446 5.1", "TLS", "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03", failed],
  ["9112 4", "a body and nothing else", body, leaving(failed)],
  // Chunks
  ["9112 7.1.1", "a chunk extension", chunks(`${hex};a=b\r\n${body}\r\n0\r\n\r\n`), failed],
  ["9112 7.1", "a size with 0x", chunks(`0x${hex}\r\n${body}\r\n0\r\n\r\n`), failed],
  ["9112 7.1", "a negative size", chunks(`-1\r\n${body}\r\n0\r\n\r\n`), failed],
  ["9112 7.1", "a size that is no number", chunks(`x\r\n${body}\r\n0\r\n\r\n`), failed],
  ["9112 7.1", "a size of 2^64 and some", chunks(`1000000000000000${hex}\r\n${body}\r\n0\r\n\r\n`), failed],
  ["9112 7.1", "a size ended by a bare LF", chunks(`${hex}\n${body}\r\n0\r\n\r\n`), failed],
  ["9112 7.1", "a chunk ended by nothing", chunks(`${hex}\r\n${body}0\r\n\r\n`), failed],
  ["9112 7.1", "a chunk longer than its size", chunks(`${(size - 1).toString(16)}\r\n${body}\r\n0\r\n\r\n`), failed],
  ["9112 7.1", "zeros before a size, without end", chunks(many(200_000, "0")), failed],
  ["9110 6.5.1", "a length in a trailer", chunks(`${hex}\r\n${body}\r\n0\r\nContent-Length: 1\r\n\r\n`), failed],
  ["9110 6.5.1", "a cookie in a trailer", chunks(`${hex}\r\n${body}\r\n0\r\nSet-Cookie: a=b\r\n\r\n`), failed],
  ["6585 5", "trailers without end", chunks(`${hex}\r\n${body}\r\n0\r\n${many(20_000, "X: a\r\n")}\r\n`), failed],
  // Too much
  ["6585 5", "ten thousand fields", head(many(10_000, "X: a\r\n") + LENGTH), failed],
  ["6585 5", "a field of a megabyte", head(`X: ${many(1_000_000, "a")}\r\n${LENGTH}`), failed],
  ["6585 5", "a name of a megabyte", head(`${many(1_000_000, "X")}: a\r\n${LENGTH}`), failed],
  ["9112 4", "a reason of a megabyte", first(`HTTP/1.1 200 ${many(1_000_000, "a")}`), failed],
  ["9112 4", "a megabyte of empty lines", many(500_000, "\r\n"), failed],
  ["9110 15.2", "interim answers without end", many(10_000, "HTTP/1.1 102 Processing\r\n\r\n"), failed],
  ["9110 15.2.2", "101 without being asked to", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", failed],
  ["9110 15.2", "an interim answer, then nothing", "HTTP/1.1 100 Continue\r\n\r\n", leaving(failed)],
  // Too little
  // As if a kept connection had been closed just when it was used (9112 9.3.1): asked once more, on a new one.
  ["9112 8", "nothing at all", "", { ...leaving(failed), asked: 2 }],
  ["9112 8", "half a status", "HTTP/1.1 2", leaving(failed)],
  ["9112 8", "half a head", `${OK}${TYPE}`, leaving(failed)],
  ["9112 8", "half a body", `${OK}${TYPE}${LENGTH}\r\n${body.slice(0, 9)}`, leaving(failed)],
  ["9112 8", "no last chunk", chunks(`${hex}\r\n${body}\r\n`), leaving(failed)],
  ["9112 8", "half a last chunk", chunks(`${hex}\r\n${body}\r\n0\r\n`), leaving(failed)],
  ["9110 8.6", "a length of 4 EB, and little of it", length(" 4611686018427387904"), leaving(failed)],
  // What follows an answer is not part of it, and whoever sent it is not asked again
  ["9112 6.3", "more than its length", `${plain}more`, spent(body)],
  ["9112 6.3", "a second answer behind the first", plain + plain.replace("1,", "9,"), spent(body)],
  ["9112 7.1", "bytes behind the last chunk", chunks(`${hex}\r\n${body}\r\n0\r\n\r\nmore`), spent(body)],
  ["9110 15.3.5", "204 with a length and a body", `HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello`, { status: 204, body: "", reused: false }],
  ["9110 15.3.5", "204 with chunks", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", { status: 204, body: "", reused: false }],
  ["9110 15.4.5", "304 with a body", `HTTP/1.1 304 Not Modified\r\n${LENGTH}\r\n${body}`, { status: 304, body: "", reused: false }],
  ["9110 9.3.2", "a body in an answer to HEAD", plain, { status: 200, body: "", reused: false, method: "HEAD" }],
  ["9110 15.4", "a redirect: handed on, never followed", `HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/meta-data/\r\nContent-Length: 0\r\n\r\n`,
    { status: 302, body: "", reused: true }],
];

export const answers = rows.map(([section, what, bytes, outcome]) => ({ section, what, bytes, outcome }));
export { plain as good };

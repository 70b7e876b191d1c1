// How a receiver tells that a delivery is ours, with nothing but Node's standard library. It may be copied.
'use strict';

const { createHmac, timingSafeEqual } = require('node:crypto');

const TOLERANCE = 5 * 60; // seconds that a delivery's timestamp may lie from our clock; bounds how long a copy can be played back

// True if a request with these headers (names in lower case, as Node gives them) and this body (a Buffer, exactly as it came; not parsed and
// written again) was signed with the secret.
function verify(secret, headers, body, now = Date.now() / 1000) {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const id = headers['webhook-id'] ?? '';
  const timestamp = headers['webhook-timestamp'] ?? '';
  if (!/^\d+$/.test(timestamp) || Math.abs(now - Number(timestamp)) > TOLERANCE) return false;
  const want = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
  // There are several signatures while a secret is being replaced; one that fits is enough.
  return (headers['webhook-signature'] ?? '').split(' ').some((signature) => {
    const [version, text = ''] = signature.split(',');
    const got = Buffer.from(text, 'base64');
    return version === 'v1' && got.length === want.length && timingSafeEqual(got, want);
  });
}

module.exports = { verify, TOLERANCE };

// A receiver to try it with: node verify.js whsec_… [port]
if (require.main === module) {
  const server = require('node:http').createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      response.statusCode = verify(process.argv[2], request.headers, Buffer.concat(chunks)) ? 200 : 401;
      response.end();
    });
  });
  server.listen(Number(process.argv[3] ?? 9000), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/`));
}

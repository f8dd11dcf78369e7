// jose takes what keygate mints, up to the second, and refuses what it should; keygate takes what jose makes, and
// refuses what jose makes with other algorithms and real keys of theirs.
import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CompactEncrypt, CompactSign, SignJWT, UnsecuredJWT, errors, generateKeyPair, jwtVerify } from 'jose'

const [binary, folder] = process.argv.slice(2)

const NOW = 1_800_000_000
const TTL = 900
const KEY = Uint8Array.from({ length: 64 }, (_, position) => position)
const PROTECTED = { alg: 'HS256', kid: 'key-26', typ: 'at+jwt' }
const SCOPE = 'read@web/prod:/app/** create,update@web/'
const CLAIMS = {
  iss: 'https://auth.example',
  aud: 'vault.example',
  sub: 'ci/deploy+1_-',
  client_id: 'ci/deploy+1_-',
  org: 'org-1',
  jti: '9b2f6d1c',
  iat: NOW,
  nbf: NOW,
  exp: NOW + TTL,
  scope: SCOPE,
}

const keyFile = join(folder, 'jose.key')
writeFileSync(keyFile, Buffer.from(KEY).toString('base64'))
const known = ['--key-file', keyFile, '--kid', PROTECTED.kid, '--issuer', CLAIMS.iss, '--audience', CLAIMS.aud]

// --- What is asked of both sides ---------------------------------------------------------------------------------

function mint() {
  const scopes = SCOPE.split(' ').flatMap((scope) => ['--scope', scope])
  const whom = ['--organization', CLAIMS.org, '--account', CLAIMS.sub]
  const asked = ['mint', ...known, ...whom, ...scopes, '--ttl', String(TTL), '--now', String(NOW)]
  return execFileSync(binary, asked, { encoding: 'utf8' }).replace(/\n$/, '')
}

function verify(token, now = NOW) {
  return spawnSync(binary, ['verify', ...known, '--now', String(now), token], { encoding: 'utf8' })
}

function jose(token, { key = KEY, at = NOW, ...changes } = {}) {
  return jwtVerify(token, key, {
    algorithms: ['HS256'],
    typ: PROTECTED.typ,
    issuer: CLAIMS.iss,
    audience: CLAIMS.aud,
    subject: CLAIMS.sub,
    requiredClaims: Object.keys(CLAIMS),
    currentDate: new Date(at * 1000),
    ...changes,
  })
}

let passed = 0
let failed = 0

function check(what, holds, seen) {
  if (holds) {
    passed += 1
  } else {
    failed += 1
    console.log(`FAILED: ${what}:`, seen)
  }
}

// Any exception that is not jose's own ends the run.
async function refuses(what, code, token, changes) {
  try {
    const { payload } = await jose(token, changes)
    check(`jose refuses ${what}`, false, payload)
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error
    check(`jose refuses ${what}`, code.includes(error.code), error.code)
  }
}

function accepted(what, token, claims, now) {
  const answer = verify(token, now)
  const [first, second, ...more] = answer.stdout.split('\n')
  const told = first === 'accepted' && second ? JSON.parse(second) : {}
  const same = Object.keys(CLAIMS).every((name) => told[name] === claims[name])
  const whole = answer.status === 0 && answer.stderr === '' && more.join() === ''
  check(`keygate takes ${what}`, whole && same && (told.gen ?? 0) === (claims.gen ?? 0), answer)
}

function refused(what, codes, token) {
  const answer = verify(token)
  const code = /^refused: ([a-z_]+): \S[^\n]*\n$/.exec(answer.stdout)?.[1]
  check(`keygate refuses ${what}`, answer.status === 1 && answer.stderr === '' && codes.includes(code), answer)
}

// --- What keygate mints ------------------------------------------------------------------------------------------

const token = mint()
const { payload, protectedHeader } = await jose(token)
for (const name of ['iss', 'aud', 'sub', 'client_id', 'org', 'iat', 'exp', 'scope']) {
  check(`the claim ${name} of a minted token`, payload[name] === CLAIMS[name], payload)
}
check('nbf is not after iat', payload.nbf <= payload.iat, payload)
check('the header', JSON.stringify(protectedHeader) === JSON.stringify(PROTECTED), protectedHeader)
const again = await new SignJWT(payload).setProtectedHeader(PROTECTED).sign(KEY)
check('jose makes the same text of the claims', again === token, again)

const claim = ['ERR_JWT_CLAIM_VALIDATION_FAILED']
check('a second before expiry', (await jose(token, { at: NOW + TTL - 1 })).payload.exp === NOW + TTL)
await refuses('at expiry', ['ERR_JWT_EXPIRED'], token, { at: NOW + TTL })
check('at not-before', (await jose(token, { at: payload.nbf })).payload.nbf === payload.nbf)
await refuses('a second before not-before', claim, token, { at: payload.nbf - 1 })
await refuses('another audience', claim, token, { audience: 'vault.example.test' })
await refuses('another issuer', claim, token, { issuer: 'https://auth.example/' })
await refuses('another type', claim, token, { typ: 'JWT' })
await refuses('another key', ['ERR_JWS_SIGNATURE_VERIFICATION_FAILED'], token, { key: KEY.toReversed() })

const parts = token.split('.').map((part) => Buffer.from(part, 'base64url'))
const joined = (changed) => changed.map((part) => part.toString('base64url')).join('.')
for (const [number, part] of parts.entries()) {
  for (const position of part.keys()) {
    const flipped = Buffer.from(part)
    flipped[position] ^= 1
    const codes = ['ERR_JWS_SIGNATURE_VERIFICATION_FAILED']
    // A flipped header may be no JSON any more, name another algorithm, or have a member that must be understood.
    if (number === 0) codes.push('ERR_JWS_INVALID', 'ERR_JOSE_ALG_NOT_ALLOWED', 'ERR_JOSE_NOT_SUPPORTED')
    await refuses(`part ${number} with byte ${position} flipped`, codes, joined(parts.with(number, flipped)))
  }
}
check('nothing flipped', (await jose(joined(parts))).payload.sub === CLAIMS.sub)

// Both sides turn at the same second.
accepted('its own token a second before expiry', token, payload, NOW + TTL - 1)
check('keygate refuses its own token at expiry', verify(token, NOW + TTL).stdout.startsWith('refused: expired: '))

// --- What jose makes ---------------------------------------------------------------------------------------------

const made = {
  'as we would': CLAIMS,
  'with a generation': { ...CLAIMS, gen: 7 },
  'with members in reverse': Object.fromEntries(Object.entries(CLAIMS).reverse()),
  'with unknown members': { ...CLAIMS, roles: ['x', 'y'], cnf: { jkt: 'abc', deep: [[{ a: null }]] }, n: 1.5, v: true },
  'with UTF-8 in an unknown member': { ...CLAIMS, name: 'Zoë Ωμέγα 🦀' },
}
for (const [what, claims] of Object.entries(made)) {
  const text = await new SignJWT(claims).setProtectedHeader(PROTECTED).sign(KEY)
  await jose(text)
  accepted(`a token made by jose ${what}`, text, claims)
}
const set = await new SignJWT({ client_id: CLAIMS.sub, org: CLAIMS.org, scope: SCOPE })
  .setProtectedHeader(PROTECTED)
  .setIssuer(CLAIMS.iss)
  .setAudience(CLAIMS.aud)
  .setSubject(CLAIMS.sub)
  .setJti(CLAIMS.jti)
  .setIssuedAt(NOW)
  .setNotBefore(NOW)
  .setExpirationTime(NOW + TTL)
  .sign(KEY)
accepted('a token made by jose claim by claim', set, CLAIMS)

const reordered = { typ: 'at+jwt', kid: 'key-26', alg: 'HS256' }
refused('a header in another order', ['token_header'], await new SignJWT(CLAIMS).setProtectedHeader(reordered).sign(KEY))

// Signed with real keys of their kinds, which jose itself takes: the algorithm is all that is wrong.
for (const alg of ['RS256', 'PS256', 'ES256', 'ES384', 'Ed25519', 'EdDSA']) {
  const { privateKey, publicKey } = await generateKeyPair(alg)
  const text = await new SignJWT(CLAIMS).setProtectedHeader({ ...PROTECTED, alg }).sign(privateKey)
  check(`jose takes ${alg}`, (await jose(text, { key: publicKey, algorithms: [alg] })).payload.sub === CLAIMS.sub)
  refused(`a token signed with ${alg}`, ['token_header'], text)
  // And its signature under our header.
  const [, middle, signature] = text.split('.')
  refused(`a signature of ${alg} under our header`, ['token_encoding'], `${token.split('.')[0]}.${middle}.${signature}`)
}
for (const alg of ['HS384', 'HS512']) {
  const text = await new SignJWT(CLAIMS).setProtectedHeader({ ...PROTECTED, alg }).sign(KEY)
  refused(`a token signed with ${alg}`, ['token_header'], text)
}

refused('an unsecured token', ['malformed'], new UnsecuredJWT(CLAIMS).encode())
const json = new TextEncoder().encode(JSON.stringify(CLAIMS))
const direct = { alg: 'dir', enc: 'A256GCM', kid: PROTECTED.kid, typ: PROTECTED.typ }
const encrypted = await new CompactEncrypt(json).setProtectedHeader(direct).encrypt(KEY.slice(0, 32))
refused('an encrypted token', ['malformed'], encrypted)
const unencoded = { ...PROTECTED, b64: true, crit: ['b64'] }
refused('a critical header member', ['token_header'], await new CompactSign(json).setProtectedHeader(unencoded).sign(KEY))

console.log(`jose: ${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1

// Tokens as an application's back end signs them: JWT with HS256 (RFC 7515, RFC 7519).
import { createHmac } from 'node:crypto';

export const secret = 'secret-of-the-tests-in-over-32-bytes';
export const now = () => Math.floor(Date.now() / 1000);

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export function sign(claims, { key = secret, algorithm = 'HS256' } = {}) {
  const signed = `${part({ alg: algorithm, typ: 'JWT' })}.${part(claims)}`;
  const hash = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' }[algorithm];
  const signature = hash ? createHmac(hash, key).update(signed).digest('base64url') : '';
  return `${signed}.${signature}`;
}

export const tokenOf = (user, claims = {}) => sign({ sub: user, exp: now() + 600, ...claims });

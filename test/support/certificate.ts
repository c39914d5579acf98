import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** A key and the certificate for it, PEM. */
export interface Certified {
  readonly key: string
  readonly certificate: string
}

/** An authority that signs certificates. */
export interface Authority {
  readonly certificate: string
  /** A certificate for a server at this IPv4 address. */
  certify(address: string): Certified
}

/** Makes a certificate authority, with nothing but Node: openssl is not installed everywhere. */
export function createAuthority(name: string): Authority {
  const ca = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const basicConstraints = extension('551d13', true, sequence(BOOLEAN_TRUE))
  return {
    certificate: certificate(name, name, ca.publicKey, ca.privateKey, basicConstraints),
    certify: (address) => {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const octets = Buffer.from(address.split('.').map(Number))
      const alternativeName = extension('551d11', false, sequence(der(0x87, octets)))
      return {
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
        certificate: certificate(address, name, publicKey, ca.privateKey, alternativeName),
      }
    },
  }
}

/** X.509 version 3 (RFC 5280, section 4.1), signed with ecdsa-with-SHA256. */
function certificate(
  subject: string,
  issuer: string,
  publicKey: KeyObject,
  signer: KeyObject,
  extensions: Buffer,
): string {
  const now = Date.now()
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    commonName(issuer),
    sequence(utcTime(now - DAY_MS), utcTime(now + DAY_MS)),
    commonName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(extensions)),
  )
  const signature = sign('sha256', toBeSigned, signer)
  const signed = sequence(toBeSigned, ECDSA_WITH_SHA256, der(0x03, Buffer.from([0]), signature))
  return `-----BEGIN CERTIFICATE-----\n${signed.toString('base64')}\n-----END CERTIFICATE-----\n`
}

const DAY_MS = 86_400_000
const BOOLEAN_TRUE = der(0x01, Buffer.from([0xff]))
const ECDSA_WITH_SHA256 = sequence(der(0x06, Buffer.from('2a8648ce3d040302', 'hex')))

/** One value in DER (ITU-T X.690): tag, length, content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts)
}

function commonName(name: string): Buffer {
  const identifier = der(0x06, Buffer.from('550403', 'hex'))
  return sequence(der(0x31, sequence(identifier, der(0x0c, Buffer.from(name)))))
}

function utcTime(time: number): Buffer {
  const digits = new Date(time).toISOString().replace(/\D/g, '').slice(2, 14)
  return der(0x17, Buffer.from(`${digits}Z`))
}

function extension(identifier: string, isCritical: boolean, value: Buffer): Buffer {
  const id = der(0x06, Buffer.from(identifier, 'hex'))
  return sequence(id, ...(isCritical ? [BOOLEAN_TRUE] : []), der(0x04, value))
}

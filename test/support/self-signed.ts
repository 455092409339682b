import { generateKeyPairSync, sign } from "node:crypto";

/** A certificate that only those trust who are told to, with its key; both in PEM. */
export interface SelfSigned {
  readonly certificate: string;
  readonly key: string;
}

// X.509 (RFC 5280) in DER, as much of it as a server on loopback needs. Node reads certificates but makes none.
const SEQUENCE = 0x30;
const SET = 0x31;

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  // Sizes from 128 on are told by the number of their bytes first.
  const bytes = length < 0x100 ? [length] : [length >> 8, length & 0xff];
  const size = length < 0x80 ? bytes : [0x80 + bytes.length, ...bytes];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

/** An object identifier from its DER content in hexadecimal. */
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"));
const text = (tag: number, value: string): Buffer => der(tag, Buffer.from(value, "ascii"));
const integer = (value: number): Buffer => der(0x02, Buffer.from([value]));
const extension = (id: string, ...value: readonly Uint8Array[]): Buffer =>
  der(SEQUENCE, oid(id), der(0x04, der(SEQUENCE, ...value)));

/** Makes a certificate for 127.0.0.1 and a name that has signed itself, valid until the end of 2049. */
export function selfSigned(hostname = "localhost"): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const ecdsaWithSha256 = der(SEQUENCE, oid("2a8648ce3d040302"));
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, oid("550403"), text(0x0c, "test"))));
  const validity = der(SEQUENCE, text(0x17, "200101000000Z"), text(0x17, "491231235959Z"));
  const isAuthority = extension("551d13", der(0x01, Buffer.from([0xff])));
  const alternativeNames = extension("551d11", text(0x82, hostname), der(0x87, Buffer.from([127, 0, 0, 1])));
  const toBeSigned = der(
    SEQUENCE,
    der(0xa0, integer(2)),
    integer(1),
    ecdsaWithSha256,
    name,
    validity,
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(SEQUENCE, isAuthority, alternativeNames)),
  );
  const signature = der(0x03, Buffer.from([0]), sign("sha256", toBeSigned, privateKey));
  const lines =
    der(SEQUENCE, toBeSigned, ecdsaWithSha256, signature)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

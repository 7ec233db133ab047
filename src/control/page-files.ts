/**
 * The page at `/`: the files that the build has put beside this one, and the headers that keep it in its cage. Its policy allows
 * files of this origin alone: no inline script or style, no eval, no frame, and no text that becomes markup (trusted types).
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';

interface PageFile {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string | number>>;
}

const FILES: readonly (readonly [path: string, name: string, type: string])[] = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
];

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'Content-Security-Policy': POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  // Asked again each time, and answered with 304: a page of an older daemon must not talk to a newer one.
  'Cache-Control': 'no-cache',
};

/** The files in memory: they are a few, and change with the program alone. */
export class PageFiles {
  readonly #files: ReadonlyMap<string, PageFile>;

  /** @throws where the build has not made the page */
  constructor(folder = new URL('./page/', import.meta.url)) {
    this.#files = new Map(
      FILES.map(([path, name, type]) => {
        const body = readFileSync(new URL(name, folder));
        const tag = createHash('sha256').update(body).digest('base64url').slice(0, 22);
        const headers = { 'Content-Type': type, 'Content-Length': body.length, ETag: `"${tag}"`, ...HEADERS };
        return [path, { body, headers }];
      }),
    );
  }

  has(path: string): boolean {
    return this.#files.has(path);
  }

  /** 304 where who asks has this very file already (RFC 9110, 13.1.2); browsers ask for it as we have named it. */
  serve(path: string, response: ServerResponse): void {
    const { body, headers } = this.#files.get(path)!;
    const { method, headers: asked } = response.req;
    if (asked['if-none-match'] === headers.ETag) {
      const { 'Content-Length': _, ...rest } = headers;
      response.writeHead(304, rest).end();
    } else {
      response.writeHead(200, headers).end(method === 'HEAD' ? undefined : body);
    }
  }
}

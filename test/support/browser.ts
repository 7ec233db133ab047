/** A real Chromium with a profile of its own, for the tests of the page. It speaks to nobody but the page. */

import { existsSync } from 'node:fs';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { createFolder } from './folder.js';

const PROGRAM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface ViewOptions {
  readonly width?: number;
  readonly height?: number;
  readonly shade?: 'light' | 'dark';
  /** scripts of the test may be put into the page, as its own policy forbids */
  readonly isOpenToTests?: boolean;
}

export class Browser {
  /** What a page has complained of: errors of scripts, and what its policy has stopped. */
  readonly complaints: string[] = [];
  readonly #context: BrowserContext;
  readonly #profile: { remove(): void };
  readonly #width: number;
  readonly #height: number;

  private constructor(context: BrowserContext, profile: { remove(): void }, width: number, height: number) {
    this.#context = context;
    this.#profile = profile;
    this.#width = width;
    this.#height = height;
  }

  static async start(options: ViewOptions = {}): Promise<Browser> {
    if (!existsSync(PROGRAM))
      throw new Error(`${PROGRAM} is not there: this test needs the package chromium`);
    const { width = 1280, height = 800, shade = 'light', isOpenToTests = false } = options;
    const profile = createFolder();
    const context = await chromium.launchPersistentContext(profile.path, {
      executablePath: PROGRAM,
      headless: true,
      args: FLAGS,
      viewport: { width, height },
      colorScheme: shade,
      bypassCSP: isOpenToTests,
    });
    return new Browser(context, profile, width, height);
  }

  /** @param origins that the page may speak to; whatever else it asks for is a complaint */
  async open(url: string): Promise<Page> {
    const page = await this.#context.newPage();
    await page.setViewportSize({ width: this.#width, height: this.#height });
    const { origin } = new URL(url);
    page.on('pageerror', (error) => this.complaints.push(String(error.stack ?? error)));
    page.on('dialog', (dialog) => {
      this.complaints.push(`a dialog: ${dialog.message()}`);
      dialog.dismiss().catch(() => {});
    });
    page.on('console', (message) => {
      // That a daemon is gone, or refuses, is shown on the page; the browser notes it by itself.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
        this.complaints.push(message.text());
      }
    });
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== origin) this.complaints.push(`asked for ${request.url()}`);
    });
    await page.goto(url);
    return page;
  }

  async close(): Promise<void> {
    await this.#context.close();
    this.#profile.remove();
  }
}

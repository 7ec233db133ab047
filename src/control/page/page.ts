/** The page: mounts its one component, and starts the loop that asks the daemon. */

import { h, render } from 'preact';
import { App } from './app.js';
import { watchDaemon } from './daemon.js';
import { watchTheme } from './theme.js';

watchTheme();
render(h(App, {}), document.getElementById('page')!);
watchDaemon();

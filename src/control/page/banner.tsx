/** Said across the page when the daemon does not answer, or answers that something is wrong. */

import { useEffect, useState } from 'preact/hooks';
import { clockTime } from './clock-time.js';
import { link, retryNow, status } from './daemon.js';
import { useStore } from './store.js';

export function Banner() {
  const now = useStore(link);
  const reply = useStore(status);
  if (now.state === 'gone') {
    const known = reply !== null;
    return (
      <div class="banner bad" role="alert">
        <strong>The daemon does not answer</strong>
        <span>
          since {clockTime(now.since / 1000)}: {now.reason}.{' '}
          {known ? 'What you see is from before.' : 'Nothing is known of it yet.'}
        </span>
        <span class="banner-end">
          <Countdown until={now.retryAt} />
          <button type="button" onClick={retryNow}>
            Try now
          </button>
        </span>
      </div>
    );
  }
  if (reply !== null && reply.degraded.length > 0) {
    return (
      <div class="banner warn" role="status">
        <strong>Degraded</strong>
        <span>{reply.degraded.join('; ')}</span>
      </div>
    );
  }
  if (reply !== null && !reply.ready) {
    return (
      <div class="banner warn" role="status">
        <strong>Not ready</strong>
        <span>The daemon is starting or stopping; questions are answered when it is ready.</span>
      </div>
    );
  }
  return null;
}

/** Hidden from screen readers: the alert is said once, not each second. */
function Countdown({ until }: { until: number }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 500);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.ceil((until - Date.now()) / 1000);
  return (
    <span class="quiet" aria-hidden="true">
      {seconds > 0 ? `next try in ${seconds} s` : 'trying…'}
    </span>
  );
}

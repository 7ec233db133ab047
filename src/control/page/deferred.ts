/** A value that is being typed, when its typing rests. */

import { useEffect, useState } from 'preact/hooks';

const REST_MS = 250;

export function useDeferred(value: string): string {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), REST_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return rested;
}

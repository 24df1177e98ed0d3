import { Hub } from 'aws-amplify/utils';
import { useEffect, useState } from 'react';

/** What Hub has told since the page was loaded, of other tabs too. */
export function Events() {
  const [events, setEvents] = useState<string[]>([]);
  useEffect(
    () => Hub.listen('auth', ({ payload }) => setEvents((before) => [...before, payload.event]), { enableCrossTabEvents: true }),
    [],
  );
  return (
    <aside>
      <h2>Events</h2>
      <ol>
        {events.map((event, i) => (
          <li key={i}>{event}</li>
        ))}
      </ol>
    </aside>
  );
}

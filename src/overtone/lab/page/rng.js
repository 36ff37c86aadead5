// Random numbers that do not depend on the browser: the same seed gives the same weights and noise everywhere.

/** Return a generator of uniform numbers in [0, 1) with 32 bits of state ("mulberry32"). */
function uniformGenerator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Return a generator of standard normal numbers (Box and Muller, one of each pair). */
function normalGenerator(seed) {
  const uniform = uniformGenerator(seed);
  return () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    return radius * Math.cos(2 * Math.PI * uniform());
  };
}

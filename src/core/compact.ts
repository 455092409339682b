/**
 * The same members in an object that is made member by member, for keeping many of its kind. Of objects that are made by
 * spreading others, the engine keeps a description each, which is larger than the object; those made like this share one.
 */
export function compact<Value extends object>(value: Value): Value {
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) copy[name] = member;
  return copy as Value;
}

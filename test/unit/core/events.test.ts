import { describe, expect, it } from "vitest";
import { EventHub } from "../../../src/core/events.ts";
import { ManualClock, settled } from "../../support/manual-clock.ts";

describe("EventHub", () => {
  it("tells the listeners of one event and those of all, with the time, until they are removed", () => {
    const hub = new EventHub(new ManualClock(5));
    const told: unknown[] = [];
    const remove = hub.on("step_up", (event) => told.push(event));
    hub.on("*", ({ type }) => told.push(type));
    hub.emit("step_up", { scope: "a", server: "s" });
    hub.emit("signed_out", {});
    remove();
    hub.emit("step_up", { scope: "b" });
    expect(told).toEqual([{ type: "step_up", at: 5, scope: "a", server: "s" }, "step_up", "signed_out", "step_up"]);
  });

  it("lets a listener that throws or rejects disturb nobody, and says that it failed", async () => {
    const hub = new EventHub(new ManualClock());
    const told: unknown[] = [];
    hub.on("step_up", () => {
      throw new Error("bad listener");
    });
    const asyncListener = async (): Promise<void> => Promise.reject(new Error("bad async listener"));
    hub.on("step_up", asyncListener as () => void);
    hub.on("step_up", () => told.push("good"));
    hub.on("listener_failed", ({ event }) => {
      told.push(event);
      throw new Error("even this one");
    });
    hub.emit("step_up", { scope: "a" });
    await settled();
    expect(told).toEqual(["step_up", "good", "step_up"]);
  });
});

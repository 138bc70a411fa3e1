import { describe, expect, it } from "vitest";

import { addressOf, commandOf, commandOfAddress, readTarget } from "../../src/start/target";

const target = (text: string) => {
  const read = readTarget(text);
  if ("fault" in read) throw new Error(read.fault);
  return read.target;
};
const fault = (text: string) => {
  const read = readTarget(text);
  return "fault" in read ? read : null;
};

describe("a connection string", () => {
  it.each([
    ["ssh -p 2838 root@10.1.2.3", { host: "10.1.2.3", user: "root", port: 2838, key: null }],
    ["ssh root@10.1.2.3 -p2838", { host: "10.1.2.3", user: "root", port: 2838, key: null }],
    ["gpu.example.org", { host: "gpu.example.org", user: "root", port: 22, key: null }],
    ["ada@gpu:2222", { host: "gpu", user: "ada", port: 2222, key: null }],
    ["-l ada -i lab_key gpu", { host: "gpu", user: "ada", port: 22, key: "lab_key" }],
    ["root@[2001:0db8::0001]:22", { host: "[2001:db8::1]", user: "root", port: 22, key: null }],
    ["root@2001:db8::1", { host: "[2001:db8::1]", user: "root", port: 22, key: null }],
    ["ssh '-p' 22 \"root@gpu\"", { host: "gpu", user: "root", port: 22, key: null }],
  ])("is read: %s", (text, expected) => expect(target(text)).toEqual(expected));

  it.each(["root:hunter2@gpu", "sshpass -p hunter2 ssh root@gpu", "ssh -p 22 root:x@10.0.0.1"])("is refused with a password: %s", (text) => {
    expect(fault(text)?.fault).toMatch(/^A password is refused/);
    expect(fault(text)?.fault).not.toContain("hunter2");
    expect(fault(text)?.unfinished).toBe(false);
  });

  it.each([
    ["ssh -o ProxyCommand=x root@gpu", /-o is not supported/],
    ["root@gpu reboot", /More than one host/],
    ["root@gpu:70000", /1 to 65535/],
    ["root@gpu -p 1 -p 2", /given twice/],
    ["root@gpu:1 -p 2", /given twice/],
    ["-i ~/.ssh/id_rsa root@gpu", /not a path/],
    ["Root@gpu", /user name/],
    ["ssh://root@gpu", /URL/],
    ["root@[fe80::1%eth0]", /zone/],
    ["root@gpü", /no host has/],
  ])("is refused: %s", (text, message) => {
    expect(fault(text)?.fault).toMatch(message);
    expect(fault(text)?.unfinished).toBe(false);
  });

  it("is only unfinished while somebody types it", () => {
    const typed = "ssh -p 2838 -l root [2001:db8::1]:2838";
    const faults = Array.from({ length: typed.length }, (_, length) => fault(typed.slice(0, length)));
    expect(faults.filter((one) => one !== null && !one.unfinished)).toEqual([]);
    expect(faults.at(0)?.fault).toMatch(/^Give the SSH connection/);
    expect(fault("ssh -p")?.fault).toBe("Give the port after -p.");
    expect(fault("root@gpu:")?.fault).toBe("The port after : is missing.");
    expect(fault("'root@gpu")?.unfinished).toBe(true);
  });

  it("is written back so that it reads the same", () => {
    for (const text of ["ssh -p 2838 -i lab root@10.1.2.3", "root@[2001:db8::1]:2"]) {
      expect(target(commandOf(target(text)))).toEqual(target(text));
    }
    expect(addressOf(target("ssh -p 2838 root@10.1.2.3"))).toBe("root@10.1.2.3:2838");
    expect(commandOfAddress("root@[2001:db8::1]:22")).toBe("ssh -p 22 root@[2001:db8::1]");
    expect(commandOfAddress("not a host")).toBeNull();
  });
});

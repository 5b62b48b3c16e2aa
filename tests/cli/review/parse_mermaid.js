// Parses a Mermaid diagram from the standard input. Fails if it isn't valid.
// Mermaid expects a browser, of which parsing needs no more than this.
const fs = require("fs");
const vm = require("vm");

class Nothing {}
const element = { setAttribute() {}, appendChild() {}, style: {} };
globalThis.window = globalThis;
globalThis.addEventListener = () => {};
for (const name of ["Element", "Node", "NodeFilter", "NamedNodeMap", "HTMLFormElement", "DOMParser"]) globalThis[name] = Nothing;
globalThis.document = { nodeType: 9, createElement: () => element, addEventListener() {}, querySelectorAll: () => [], implementation: {} };

vm.runInThisContext(fs.readFileSync(process.argv[2], "utf8"));
globalThis.mermaid.parse(fs.readFileSync(0, "utf8")).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});

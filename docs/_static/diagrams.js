// Draws the diagrams of a page, and draws them again when the reader switches between light and dark.
const diagrams = [...document.querySelectorAll("pre.mermaid")];
const sources = diagrams.map((diagram) => diagram.textContent);

async function draw() {
  const dark = document.documentElement.dataset.theme === "dark";
  mermaid.initialize({ startOnLoad: false, theme: dark ? "dark" : "neutral", securityLevel: "strict" });
  diagrams.forEach((diagram, number) => {
    diagram.removeAttribute("data-processed");
    diagram.textContent = sources[number];
  });
  await mermaid.run({ nodes: diagrams });
}

new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
draw();

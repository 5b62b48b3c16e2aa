// Draws the diagrams of a page. In dark mode, the theme inverts them.
mermaid.initialize({ startOnLoad: false, theme: "neutral", securityLevel: "strict" });
mermaid.run({ querySelector: "pre.mermaid" });

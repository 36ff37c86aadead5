/* The buttons that open a section of the navigation get a name for readers who do not see the arrow. */
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("summary:not([aria-label])")) {
    const link = button.closest("li")?.querySelector("a");
    if (!button.innerText.trim() && link) button.setAttribute("aria-label", `Pages of ${link.textContent.trim()}`);
  }
});

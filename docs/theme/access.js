// What mdBook's pages lack for keyboards and screen readers.

document.querySelector("#mdbook-menu-bar")?.setAttribute("role", "banner");
// A label has no such state: its checkbox has.
document.querySelector("label#mdbook-sidebar-toggle")?.removeAttribute("aria-expanded");
// Code and tables that are wider than the page scroll, by the arrow keys as well.
for (const wide of document.querySelectorAll("pre > code, table")) {
  wide.tabIndex = 0;
}

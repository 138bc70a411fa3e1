// Shows the OpenAPI document. Everything is built as text nodes: nothing in the document is markup here.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function resolve(schema, all) {
  const name = schema && schema.$ref ? schema.$ref.split("/").pop() : null;
  return name ? all[name] || {} : schema || {};
}

function typeOf(schema, all) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const options = schema.anyOf || schema.oneOf;
  if (options) return options.map((option) => typeOf(option, all)).join(" | ");
  if (schema.type === "array") return "list of " + (typeOf(schema.items, all) || "anything");
  return schema.type || "anything";
}

function limits(schema) {
  const names = ["default", "minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "pattern"];
  return names.filter((name) => schema[name] !== undefined && schema[name] !== null)
    .map((name) => name + " " + JSON.stringify(schema[name])).join(", ");
}

function table(rows) {
  const head = element("tr", {}, ...["Name", "Type", "Meaning"].map((text) => element("th", { scope: "col" }, text)));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
}

function row(name, schema, required, description, all) {
  const meaning = [description || schema.description || "", limits(schema)].filter(Boolean).join("; ");
  return element("tr", {},
    element("td", {}, element("code", {}, name), required ? " (required)" : ""),
    element("td", {}, element("code", {}, typeOf(schema, all))),
    element("td", {}, meaning));
}

function fields(schema, all) {
  const found = resolve(schema, all);
  const required = new Set(found.required || []);
  return Object.entries(found.properties || {})
    .map(([name, field]) => row(name, field, required.has(name), "", all));
}

function operation(method, path, found, all) {
  const parts = [];
  if (found.description) parts.push(element("p", {}, found.description.replaceAll("<br/>", " ")));
  parts.push(element("p", {}, found["x-role"] ? "Needs the role " + found["x-role"] + "." : "For everyone."));
  if (found.parameters && found.parameters.length) {
    parts.push(element("h4", {}, "Parameters"), table(found.parameters.map(
      (item) => row(item.name + " in " + item.in, item.schema || {}, item.required, item.description, all))));
  }
  const body = found.requestBody && Object.values(found.requestBody.content || {})[0];
  const bodyRows = body ? fields(body.schema, all) : [];
  if (bodyRows.length) parts.push(element("h4", {}, "Body (JSON)"), table(bodyRows));
  const answers = Object.entries(found.responses || {}).map(([status, answer]) => {
    const content = Object.values(answer.content || {})[0];
    return element("tr", {}, element("td", {}, element("code", {}, status)),
      element("td", {}, element("code", {}, content ? typeOf(content.schema, all) : "")),
      element("td", {}, answer.description || ""));
  });
  parts.push(element("h4", {}, "Answers"), table(answers));
  const summary = element("summary", {}, element("span", { class: "method" }, method.toUpperCase()),
    element("span", { class: "path" }, path), " ", element("span", { class: "summary" }, found.summary || ""));
  return element("details", { class: "operation", id: method + path }, summary, element("div", {}, ...parts));
}

function show(openapi) {
  const all = (openapi.components && openapi.components.schemas) || {};
  const groups = new Map();
  for (const [path, item] of Object.entries(openapi.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const tag = (item[method].tags || ["Other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(method, path, item[method], all));
    }
  }
  const place = document.getElementById("operations");
  for (const [tag, found] of groups) {
    place.append(element("section", {}, element("h2", {}, tag), ...found));
  }
  const schemas = Object.entries(all).map(([name, schema]) => element("details", { class: "operation", id: "schema-" + name },
    element("summary", {}, element("code", {}, name)),
    element("div", {}, element("p", {}, schema.description || ""), table(fields(schema, all)))));
  if (schemas.length) place.append(element("section", {}, element("h2", {}, "Documents"), ...schemas));
}

function filter(text) {
  const wanted = text.trim().toLowerCase();
  let count = 0;
  for (const section of document.querySelectorAll("#operations > section")) {
    let any = false;
    for (const item of section.querySelectorAll("details")) {
      item.hidden = wanted !== "" && !item.textContent.toLowerCase().includes(wanted);
      if (!item.hidden) { any = true; count += 1; }
    }
    section.hidden = !any;
  }
  document.getElementById("state").textContent = wanted ? count + " found." : "";
}

function openLinked() {
  const linked = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (linked) { linked.open = true; linked.scrollIntoView(); }
}

async function start() {
  const state = document.getElementById("state");
  try {
    const answer = await fetch("/openapi.json");
    const openapi = await answer.json();
    if (!answer.ok) throw new Error(openapi.message);
    show(openapi);
    state.textContent = "";
    openLinked();
  } catch (error) {
    state.textContent = "The document could not be read: " + error.message;
    state.className = "bad";
  }
}

document.getElementById("find").addEventListener("input", (event) => filter(event.target.value));
window.addEventListener("hashchange", openLinked);
start();

// Reads paths from standard input and prints, a line of JSON each, what the TypeScript compiler's
// own syntax tree says the file defines: [path, errors, [[line, name, kind, container], ...]].
// The first argument is the folder of the package `typescript`.
"use strict";
const fs = require("fs");
const readline = require("readline");
const ts = require(process.argv[2]);
const K = ts.SyntaxKind;

function nameOf(node) {
  const name = node.name;
  if (!name) return null;
  return ts.isIdentifier(name) || ts.isPrivateIdentifier(name) ? name : null;
}

function isFunctionValue(node) {
  return node && (ts.isArrowFunction(node) || ts.isFunctionExpression(node));
}

function read(path) {
  const text = fs.readFileSync(path, "utf8");
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const values = new Set();

  function add(name, kind, body) {
    const line = source.getLineAndCharacterOfPosition(name.getStart(source)).line + 1;
    const spelled = name.getText(source).split(/\s/).join("");
    if (kind === "variable" || kind === "field") {
      const key = body.id + " " + spelled;
      if (values.has(key)) return;
      values.add(key);
    }
    found.push([line, spelled, kind, body.container]);
  }

  let bodies = 0;
  function inside(body, name, kind, owner) {
    const spelled = name.getText(source).split(/\s/).join("");
    const container = body.container ? body.container + "." + spelled : spelled;
    const types = kind === "function" ? body.types : [...body.types, spelled];
    const inner = { id: ++bodies, container, kind, owner: null, types };
    inner.owner = kind === "class" ? inner : owner;
    return inner;
  }

  function bindings(name, body) {
    if (ts.isIdentifier(name)) return add(name, "variable", body);
    for (const element of name.elements) {
      if (ts.isBindingElement(element)) bindings(element.name, body);
    }
  }

  function children(node, body) {
    ts.forEachChild(node, (child) => visit(child, body));
  }

  function members(node, body) {
    for (const member of node.members) visit(member, body);
  }

  function functionBody(node, name, kind, body) {
    if (name) add(name, kind, body);
    const inner = name ? inside(body, name, "function", body.owner) : { ...body, kind: "function" };
    for (const parameter of node.parameters) {
      if (parameter.modifiers && node.kind === K.Constructor && ts.isIdentifier(parameter.name)) {
        const access = [K.PublicKeyword, K.PrivateKeyword, K.ProtectedKeyword, K.ReadonlyKeyword];
        if (parameter.modifiers.some((one) => access.includes(one.kind)) && body.owner) {
          add(parameter.name, "field", body.owner);
        }
      }
      if (parameter.initializer) visit(parameter.initializer, inner);
    }
    if (node.body) visit(node.body, inner);
  }

  function classLike(node, name, body) {
    if (name) add(name, "class", body);
    const inner = name ? inside(body, name, "class", null) : { ...body, kind: "function", owner: null };
    typeParameters(node, inner);
    for (const clause of node.heritageClauses || []) {
      for (const type of clause.types) {
        visit(type.expression, inner);
        (type.typeArguments || []).forEach((one) => typesIn(one, inner));
      }
    }
    members(node, inner);
  }

  // Type literals without a name give their members to the type around.
  function typesIn(node, body) {
    if (!node || body.kind !== "class") return;
    if (ts.isTypeLiteralNode(node)) members(node, body);
    else ts.forEachChild(node, (child) => typesIn(child, body));
  }

  function typeParameters(node, body) {
    (node.typeParameters || []).forEach((one) => typesIn(one, body));
  }

  function interfaceBody(node, inner) {
    typeParameters(node, inner);
    (node.heritageClauses || []).forEach((clause) => clause.types.forEach((one) => typesIn(one, inner)));
    members(node, inner);
  }

  function aliasBody(node, inner) {
    typeParameters(node, inner);
    typesIn(node.type, inner);
  }

  function visit(node, body) {
    const unnamed = ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node);
    const byDefault = unnamed && (node.modifiers || []).find((one) => one.kind === K.DefaultKeyword);
    const name = nameOf(node) || byDefault || null;
    const inType = body.kind === "class";
    switch (node.kind) {
      case K.FunctionDeclaration:
        return functionBody(node, name, "function", body);
      case K.MethodDeclaration:
      case K.GetAccessor:
      case K.SetAccessor:
        if (ts.isObjectLiteralExpression(node.parent)) return objectMember(node, name, body);
        return functionBody(node, inType ? name : null, "method", body);
      case K.Constructor:
        if (inType) add({ getStart: () => constructorStart(node), getText: () => "constructor" }, "method", body);
        return functionBody(node, null, "method", { ...inside(body, { getText: () => "constructor" }, "function", body.owner), owner: body.owner });
      case K.MethodSignature:
        if (name && inType) add(name, "method", body);
        return;
      case K.PropertySignature:
        if (name && inType) add(name, "field", body);
        return typesIn(node.type, body);
      case K.CallSignature:
      case K.ConstructSignature:
      case K.IndexSignature:
        return ts.forEachChild(node, (child) => typesIn(child, body));
      case K.PropertyDeclaration:
        if (name && inType) {
          if (isFunctionValue(node.initializer)) return functionBody(node.initializer, name, "method", body);
          add(name, "field", body);
          typesIn(node.type, body);
        }
        if (node.initializer) visit(node.initializer, body);
        return;
      case K.ClassDeclaration:
        return classLike(node, name, body);
      case K.ClassExpression:
        return classLike(node, null, body);
      case K.InterfaceDeclaration:
        add(name, "interface", body);
        return interfaceBody(node, inside(body, name, "class", null));
      case K.EnumDeclaration: {
        add(name, "enum", body);
        const inner = inside(body, name, "class", null);
        for (const member of node.members) if (nameOf(member)) add(member.name, "field", inner);
        return;
      }
      case K.TypeAliasDeclaration:
        add(name, "type", body);
        return aliasBody(node, inside(body, name, "class", null));
      case K.ModuleDeclaration: {
        if (!name || node.flags & ts.NodeFlags.GlobalAugmentation) return node.body && visit(node.body, body);
        // `namespace A.B` is one module of that name.
        let last = node;
        let spelled = name.text;
        while (last.body && ts.isModuleDeclaration(last.body)) {
          last = last.body;
          spelled += "." + last.name.text;
        }
        const whole = { getStart: () => name.getStart(source), getText: () => spelled };
        add(whole, "module", body);
        return last.body && visit(last.body, inside(body, whole, "module", null));
      }
      case K.VariableDeclaration:
        if (name && isFunctionValue(node.initializer)) {
          return functionBody(node.initializer, name, "function", body);
        }
        if (name && node.initializer && ts.isClassExpression(node.initializer)) {
          return classLike(node.initializer, name, body);
        }
        if (body.kind !== "function" && !ts.isCatchClause(node.parent)) bindings(node.name, body);
        if (name && node.initializer && ts.isObjectLiteralExpression(node.initializer)) {
          return objectMembers(node.initializer, name, body);
        }
        if (node.initializer) visit(node.initializer, body);
        return;
      case K.ExportAssignment: {
        const token = node.getChildren(source).find((one) => one.kind === K.DefaultKeyword);
        const value = node.expression;
        if (!token) return children(node, body);
        if (isFunctionValue(value) && !value.name) return functionBody(value, token, "function", body);
        if (ts.isClassExpression(value) && !value.name) return classLike(value, token, body);
        if (ts.isObjectLiteralExpression(value) || ts.isArrayLiteralExpression(value)
            || ts.isCallExpression(value) || ts.isNewExpression(value)) {
          add(token, "variable", body);
        }
        if (ts.isObjectLiteralExpression(value)) return objectMembers(value, token, body);
        return visit(value, body);
      }
      case K.BinaryExpression: {
        const left = node.left;
        if (node.operatorToken.kind === K.EqualsToken && ts.isPropertyAccessExpression(left)
            && left.expression.kind === K.ThisKeyword && body.owner) {
          add(left.name, "field", body.owner);
        }
        return children(node, body);
      }
      case K.ArrowFunction:
      case K.FunctionExpression:
        return functionBody(node, null, "function", body);
      default:
        if (ts.isTypeNode(node)) return;
        return children(node, body);
    }
  }

  // Members of an object that has a name belong to it; functions around it do not count.
  function objectMembers(object, owner, body) {
    const container = [...body.types, owner.getText(source)].join(".");
    const around = { ...body, id: `${body.id} ${owner.getText(source)}`, container, kind: "class" };
    const inside = { ...around, owner: body.owner };
    for (const member of object.properties) {
      const name = member.name;
      const named = name && (ts.isIdentifier(name) || ts.isStringLiteral(name));
      const shown = named && { getStart: () => name.getStart(source), getText: () => name.text };
      if (ts.isPropertyAssignment(member)) {
        if (isFunctionValue(member.initializer)) {
          functionBody(member.initializer, shown || null, "method", inside);
        } else {
          if (shown && body.kind !== "function") add(shown, "field", around);
          visit(member.initializer, { ...body });
        }
      } else if (ts.isMethodDeclaration(member) || ts.isAccessor(member)) {
        functionBody(member, shown || null, "method", inside);
      } else children(member, body);
    }
  }

  function objectMember(node, name, body) {
    return functionBody(node, name, "function", body);
  }

  function constructorStart(node) {
    const token = node.getChildren(source).find((one) => one.kind === K.ConstructorKeyword);
    return (token || node).getStart(source);
  }

  visit(source, { id: 0, container: "", kind: "module", owner: null, types: [] });
  return [path, source.parseDiagnostics.length, found];
}

readline.createInterface({ input: process.stdin }).on("line", (path) => {
  process.stdout.write(JSON.stringify(read(path)) + "\n");
});

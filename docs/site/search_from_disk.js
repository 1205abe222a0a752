/* SPDX-License-Identifier: MIT */
/* A browser gives a page from disk (file:) neither workers nor the index, which the theme's search asks for. This stands
 * in for the worker there: the same lunr, over an index that comes as a script. Over HTTP it does nothing. */
if (window.location.protocol === "file:") {
  window.Worker = class {
    constructor(address) {
      const folder = address.slice(0, address.lastIndexOf("/") + 1);
      this.documents = new Map();
      this.ready = this.load(folder + "lunr.js").then(() => this.load(folder + "search_index.js")).then(() => {
        const worker = this;
        this.index = lunr(function () {
          this.ref("location");
          this.field("title", { boost: 10 });
          this.field("text");
          for (const page of searchIndex.docs) {
            this.add(page);
            worker.documents.set(page.location, page);
          }
        });
      });
    }

    load(address) {
      return new Promise((done, failed) => {
        const script = document.createElement("script");
        script.src = address;
        script.onload = done;
        script.onerror = () => failed(new Error(address + " is missing: build the site again"));
        document.head.append(script);
      });
    }

    async postMessage(message) {
      await this.ready;
      if (message.init) {
        this.onmessage({ data: { config: searchIndex.config } });
        this.onmessage({ data: { allowSearch: true } });
      } else if (message.query) {
        const results = this.search(message.query).map(({ ref }) => {
          const page = this.documents.get(ref);
          return { location: ref, title: page.title, summary: page.text.slice(0, 200) };
        });
        this.onmessage({ data: { results } });
      }
    }

    search(query) {
      try {
        return this.index.search(query);
      } catch (error) {  // such as a colon behind what is no field
        return this.index.search(query.replace(/[:~^+*-]/g, " "));
      }
    }
  };
}

